package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// account stands for an account's id in what is evaluated.
const account = "111122223333"

// places collects the endpoints of all services.
type places struct {
	partitions []partition
	table      awsapi.EndpointTable
	questions  []question
}

// question is one evaluation of a rule set, and how the table is asked for it.
type question struct {
	svc     *api.Service
	params  map[string]any
	variant string
	own     bool
}

func newPlaces(w *wheel) (*places, error) {
	var file struct {
		Partitions []partition `json:"partitions"`
	}
	if err := w.merged("botocore/data", "partitions", &file); err != nil {
		return nil, err
	}
	p := &places{partitions: file.Partitions, table: awsapi.EndpointTable{Services: map[string]awsapi.EndpointRules{}}}
	for _, x := range p.partitions {
		var regions []string
		for _, r := range slices.Sorted(maps.Keys(x.Regions)) {
			if !strings.HasSuffix(r, "-global") {
				regions = append(regions, r)
			}
		}
		p.table.Partitions = append(p.table.Partitions, awsapi.Partition{
			Name: x.ID, Suffix: x.Outputs.DNSSuffix, DualSuffix: x.Outputs.DualStackDNSSuffix,
			Home: x.Outputs.ImplicitGlobalRegion, Pattern: strings.ReplaceAll(x.Regex, `\-`, "-"), Regions: regions,
		})
	}
	return p, p.presence(w)
}

// presence reads which services endpoints.json knows in which regions.
func (p *places) presence(w *wheel) error {
	var file struct {
		Partitions []struct {
			Partition string `json:"partition"`
			Services  map[string]struct {
				PartitionEndpoint string                     `json:"partitionEndpoint"`
				IsRegionalized    *bool                      `json:"isRegionalized"`
				Endpoints         map[string]json.RawMessage `json:"endpoints"`
			} `json:"services"`
		} `json:"partitions"`
	}
	if err := w.merged("botocore/data", "endpoints", &file); err != nil {
		return err
	}
	p.table.Present = map[string]map[string][]string{}
	for _, part := range p.table.Partitions {
		m := map[string][]string{}
		p.table.Present[part.Name] = m
		for _, f := range file.Partitions {
			if f.Partition != part.Name {
				continue
			}
			for name, s := range f.Services {
				if s.IsRegionalized != nil && !*s.IsRegionalized {
					m[name] = []string{"*"}
					continue
				}
				var in, not []string
				for _, r := range part.Regions {
					if _, ok := s.Endpoints[r]; ok {
						in = append(in, r)
					} else {
						not = append(not, "-"+r)
					}
				}
				if len(not) < len(in) {
					in = append([]string{"*"}, not...)
				}
				m[name] = in
			}
		}
	}
	return nil
}

// add evaluates a service's rules for its operations' parameters, sets the
// variants of its operations and adds to the table what is not the default.
func (p *places) add(src *source, svc *api.Service) error {
	combos := map[string]map[string]any{}
	count := map[string]int{}
	key := map[string]string{} // operation -> combination
	for name := range svc.Operations {
		params := map[string]any{}
		var parts []string
		o := src.model.Operations[name]
		for _, n := range slices.Sorted(maps.Keys(o.StaticContextParams)) {
			// The account is in the operation's host prefix; buckets are
			// general-purpose ones.
			if n == "RequiresAccountId" || n == "UseS3ExpressControlEndpoint" && svc.Operations[name].Input.Member("Bucket") != nil {
				continue
			}
			params[n] = o.StaticContextParams[n].Value
			parts = append(parts, fmt.Sprintf("%s=%v", n, params[n]))
		}
		k := strings.Join(parts, ",")
		combos[k], key[name] = params, k
		count[k]++
	}
	if len(combos) == 0 {
		combos[""] = map[string]any{}
	}
	order := slices.SortedFunc(maps.Keys(combos), func(a, b string) int {
		if a == "" || b == "" {
			return cmp.Compare(a, b)
		}
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	variants := map[string]string{}
	var base awsapi.EndpointRules
	for i, k := range order {
		rules, err := p.evaluate(src, svc, combos[k], false)
		if err != nil {
			return err
		}
		name := svc.Name
		switch {
		case i == 0:
			base = rules
		case same(rules, base):
			continue
		default:
			variants[k] = k
			name += " " + k
		}
		p.put(svc, name, combos[k], variants[k], rules, false)
		if _, ok := src.rules.Parameters["AccountIdEndpointMode"]; ok {
			own, err := p.evaluate(src, svc, combos[k], true)
			if err != nil {
				return err
			}
			if !same(own, rules) {
				p.put(svc, name+" account", combos[k], variants[k], own, true)
			}
		}
	}
	for name, op := range svc.Operations {
		op.Variant = variants[key[name]]
	}
	return nil
}

func (p *places) put(svc *api.Service, name string, params map[string]any, variant string, rules awsapi.EndpointRules, own bool) {
	p.table.Services[name] = rules
	if same(rules, awsapi.EndpointRules{}) && !own && variant == "" {
		delete(p.table.Services, name)
	}
	p.questions = append(p.questions, question{svc, params, variant, own})
}

func same(a, b awsapi.EndpointRules) bool {
	return maps.Equal(a.Plain, b.Plain) && maps.Equal(a.FIPS, b.FIPS) && maps.Equal(a.Dual, b.Dual) && maps.Equal(a.Both, b.Both)
}

func parameters(params map[string]any, region string, fips, dual, own bool) map[string]any {
	all := maps.Clone(params)
	all["Region"], all["UseFIPS"], all["UseDualStack"] = region, fips, dual
	if own {
		all["AccountId"], all["AccountIdEndpointMode"] = account, "preferred"
	}
	return all
}

// evaluate makes rules of what the rule set says for all regions.
func (p *places) evaluate(src *source, svc *api.Service, params map[string]any, own bool) (awsapi.EndpointRules, error) {
	var rules awsapi.EndpointRules
	for i := range 4 {
		fips, dual := i&1 != 0, i&2 != 0
		// What is said of a home region may hold for it or for all homes.
		var said [2]map[string]map[string]string
		for k := range said {
			said[k] = map[string]map[string]string{}
			for _, part := range p.table.Partitions {
				said[k][part.Name] = map[string]string{}
			}
		}
		for _, part := range p.table.Partitions {
			for _, region := range part.Regions {
				a, err := src.rules.evaluate(p.partitions, parameters(params, region, fips, dual, own))
				if err != nil {
					return rules, fmt.Errorf("%s in %s: %w", svc.Name, region, err)
				}
				for k := range said {
					said[k][part.Name][region] = generalize(a, svc, part, region, dual, k == 1)
				}
			}
		}
		def := awsapi.DefaultEndpoint(svc.EndpointPrefix, fips)
		set, byHome := condense(said[0], def), condense(said[1], def)
		if len(byHome) < len(set) {
			set = byHome
		}
		*rules.Kind(fips, dual) = set
	}
	return rules, nil
}

// generalize puts {region}, {home}, {suffix}, {dual} and {account} into an
// address; home says which of the first two a home region is called.
func generalize(a address, svc *api.Service, part awsapi.Partition, region string, dual, home bool) string {
	if a.err != "" {
		return "!" + a.err
	}
	name := func(s string) string {
		switch {
		case s == part.Home && (home || s != region):
			return "{home}"
		case s == region:
			return "{region}"
		}
		return s
	}
	suffix := part.Suffix
	if dual {
		suffix = part.DualSuffix
	}
	scheme, host, _ := strings.Cut(a.url, "://")
	host = strings.ReplaceAll(host, account, "{account}")
	if rest, ok := strings.CutSuffix(host, "."+suffix); ok {
		host = rest + ".{suffix}"
	} else if rest, ok := strings.CutSuffix(host, "."+part.DualSuffix); ok {
		host = rest + ".{dual}"
	}
	labels := strings.Split(host, ".")
	for i, l := range labels {
		labels[i] = name(l)
		if strings.HasPrefix(l, region+"-") || strings.HasSuffix(l, "-"+region) {
			labels[i] = strings.Replace(l, region, "{region}", 1)
		}
	}
	rule := scheme + "://" + strings.Join(labels, ".")
	sign, reg := a.name, name(a.region)
	if sign == svc.SigningName {
		sign = ""
	}
	if reg == "{region}" {
		reg = ""
	}
	if sign != "" || reg != "" {
		rule += " " + sign + "/" + reg
	}
	return rule
}

// condense makes the fewest rules: one for all, then partitions, then
// regions. What is the default everywhere makes none.
func condense(said map[string]map[string]string, def string) map[string]string {
	major := map[string]string{}
	votes := map[string]int{}
	for part, regions := range said {
		count := map[string]int{}
		for _, r := range regions {
			count[r]++
		}
		major[part] = most(count, def)
		votes[major[part]]++
	}
	all := def
	if votes[def] == 0 {
		all = most(votes, def)
	}
	rules := map[string]string{}
	if all != def {
		rules["*"] = all
	}
	for part, regions := range said {
		if major[part] != all {
			rules[part] = major[part]
		}
		for region, r := range regions {
			if r != major[part] {
				rules[region] = r
			}
		}
	}
	if len(rules) == 0 {
		return nil
	}
	return rules
}

func most(count map[string]int, def string) string {
	best := ""
	for _, r := range slices.Sorted(maps.Keys(count)) {
		if best == "" || count[r] > count[best] || count[r] == count[best] && r == def {
			best = r
		}
	}
	return best
}

// write writes the table, a line for each partition and service.
func (p *places) write(out string) error {
	var buf bytes.Buffer
	line := func(prefix string, v any, last bool) error {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return err
		}
		buf.WriteString(prefix)
		buf.Write(bytes.TrimSpace(text.Bytes()))
		if !last {
			buf.WriteByte(',')
		}
		buf.WriteByte('\n')
		return nil
	}
	buf.WriteString("{\"partitions\": [\n")
	for i, v := range p.table.Partitions {
		if err := line("", v, i == len(p.table.Partitions)-1); err != nil {
			return err
		}
	}
	buf.WriteString("],\n\"services\": {\n")
	for i, name := range slices.Sorted(maps.Keys(p.table.Services)) {
		if err := line(fmt.Sprintf("%q: ", name), p.table.Services[name], i == len(p.table.Services)-1); err != nil {
			return err
		}
	}
	buf.WriteString("},\n\"present\": {\n")
	for i, name := range slices.Sorted(maps.Keys(p.table.Present)) {
		if err := line(fmt.Sprintf("%q: ", name), p.table.Present[name], i == len(p.table.Present)-1); err != nil {
			return err
		}
	}
	buf.WriteString("}}\n")
	return os.WriteFile(filepath.Join(out, "endpoints.json"), buf.Bytes(), 0o644)
}
