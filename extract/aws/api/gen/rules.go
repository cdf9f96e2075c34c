package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// ruleset is an endpoint-rule-set-1.json file:
// https://smithy.io/2.0/additional-specs/rules-engine/specification.html.
type ruleset struct {
	Parameters map[string]struct {
		BuiltIn  string `json:"builtIn"`
		Default  any    `json:"default"`
		Required bool   `json:"required"`
	} `json:"parameters"`
	Rules []rule `json:"rules"`
}

type rule struct {
	Type       string      `json:"type"`
	Conditions []condition `json:"conditions"`
	Rules      []rule      `json:"rules"`
	Error      any         `json:"error"`
	Endpoint   struct {
		URL        any `json:"url"`
		Properties struct {
			AuthSchemes []map[string]any `json:"authSchemes"`
		} `json:"properties"`
	} `json:"endpoint"`
}

type condition struct {
	Fn     string `json:"fn"`
	Argv   []any  `json:"argv"`
	Assign string `json:"assign"`
}

// address is what a rule set says; err is set where it refuses.
type address struct{ url, name, region, err string }

// partition is an entry of partitions.json.
type partition struct {
	ID      string `json:"id"`
	Regex   string `json:"regionRegex"`
	Outputs struct {
		DNSSuffix            string `json:"dnsSuffix"`
		DualStackDNSSuffix   string `json:"dualStackDnsSuffix"`
		ImplicitGlobalRegion string `json:"implicitGlobalRegion"`
		SupportsDualStack    bool   `json:"supportsDualStack"`
		SupportsFIPS         bool   `json:"supportsFIPS"`
	} `json:"outputs"`
	Regions map[string]struct {
		Description string `json:"description"`
	} `json:"regions"`
}

func (p *partition) values() map[string]any {
	return map[string]any{
		"name": p.ID, "dnsSuffix": p.Outputs.DNSSuffix, "dualStackDnsSuffix": p.Outputs.DualStackDNSSuffix,
		"implicitGlobalRegion": p.Outputs.ImplicitGlobalRegion,
		"supportsFIPS":         p.Outputs.SupportsFIPS, "supportsDualStack": p.Outputs.SupportsDualStack,
	}
}

func partitionOf(all []partition, region string) *partition {
	for i := range all {
		if _, ok := all[i].Regions[region]; ok {
			return &all[i]
		}
	}
	for i := range all {
		if ok, _ := regexp.MatchString(all[i].Regex, region); ok {
			return &all[i]
		}
	}
	return &all[0]
}

// evaluator evaluates a rule set for one set of parameters.
type evaluator struct {
	partitions []partition
	values     map[string]any
}

// evaluate applies the rules. The address holds an error where a rule says
// so; the error is for rules that cannot be evaluated.
func (r *ruleset) evaluate(partitions []partition, params map[string]any) (a address, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	e := &evaluator{partitions, map[string]any{}}
	for n, p := range r.Parameters {
		if v, ok := params[n]; ok {
			e.values[n] = v
		} else if p.Default != nil {
			e.values[n] = p.Default
		} else if p.Required {
			return address{err: "missing " + n}, nil
		}
	}
	a, ok := e.rules(r.Rules)
	if !ok {
		return address{err: "no rule applies"}, nil
	}
	return a, nil
}

func (e *evaluator) rules(rules []rule) (address, bool) {
	for _, r := range rules {
		var assigned []string
		matched := true
		for _, c := range r.Conditions {
			v := e.call(c.Fn, c.Argv)
			if v == nil || v == false {
				matched = false
				break
			}
			if c.Assign != "" {
				e.values[c.Assign] = v
				assigned = append(assigned, c.Assign)
			}
		}
		if matched {
			switch r.Type {
			case "tree":
				if a, ok := e.rules(r.Rules); ok {
					return a, true
				}
				return address{err: "no rule applies"}, true
			case "error":
				return address{err: fmt.Sprint(e.value(r.Error))}, true
			default:
				return e.endpoint(r), true
			}
		}
		for _, n := range assigned {
			delete(e.values, n)
		}
	}
	return address{}, false
}

func (e *evaluator) endpoint(r rule) address {
	a := address{url: fmt.Sprint(e.value(r.Endpoint.URL))}
	for _, s := range r.Endpoint.Properties.AuthSchemes {
		if s["name"] == "sigv4" {
			if n := s["signingName"]; n != nil {
				a.name = fmt.Sprint(e.value(n))
			}
			if n := s["signingRegion"]; n != nil {
				a.region = fmt.Sprint(e.value(n))
			}
			break
		}
	}
	return a
}

var hole = regexp.MustCompile(`\{([^{}]+)\}`)

// value resolves a literal with {name} or {name#attr}, a {"ref"} or a call.
func (e *evaluator) value(v any) any {
	switch v := v.(type) {
	case string:
		return hole.ReplaceAllStringFunc(v, func(h string) string {
			name, attr, ok := strings.Cut(h[1:len(h)-1], "#")
			x := e.values[name]
			if ok {
				x = attribute(x, attr)
			}
			return fmt.Sprint(x)
		})
	case map[string]any:
		if n, ok := v["ref"].(string); ok {
			return e.values[n]
		}
		if fn, ok := v["fn"].(string); ok {
			argv, _ := v["argv"].([]any)
			return e.call(fn, argv)
		}
	}
	return v
}

func attribute(v any, path string) any {
	for _, p := range strings.Split(path, ".") {
		name, index, indexed := strings.Cut(p, "[")
		if name != "" {
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[name]
		}
		if indexed {
			i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			l, ok := v.([]any)
			if err != nil || !ok || i >= len(l) {
				return nil
			}
			v = l[i]
		}
	}
	return v
}

var (
	label  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$`)
	bucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

func (e *evaluator) call(fn string, argv []any) any {
	args := make([]any, len(argv))
	for i, a := range argv {
		args[i] = e.value(a)
	}
	text := func(i int) (string, bool) { s, ok := args[i].(string); return s, ok }
	switch fn {
	case "isSet":
		return args[0] != nil
	case "not":
		return args[0] == nil || args[0] == false
	case "booleanEquals", "stringEquals":
		return args[0] == args[1]
	case "getAttr":
		return attribute(args[0], args[1].(string))
	case "aws.partition":
		if region, ok := text(0); ok {
			return partitionOf(e.partitions, region).values()
		}
		return nil
	case "isValidHostLabel":
		s, _ := text(0)
		parts := []string{s}
		if args[1] == true {
			parts = strings.Split(s, ".")
		}
		for _, p := range parts {
			if !label.MatchString(p) {
				return false
			}
		}
		return true
	case "substring":
		s, ok := text(0)
		from, to := int(args[1].(float64)), int(args[2].(float64))
		if !ok || from >= to || len(s) < to {
			return nil
		}
		if args[3] == true {
			return s[len(s)-to : len(s)-from]
		}
		return s[from:to]
	case "parseURL":
		s, _ := text(0)
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return nil
		}
		return map[string]any{"scheme": u.Scheme, "authority": u.Host, "path": u.Path, "normalizedPath": strings.TrimSuffix(u.Path, "/") + "/", "isIp": false}
	case "aws.parseArn":
		s, _ := text(0)
		p := strings.SplitN(s, ":", 6)
		if len(p) != 6 || p[0] != "arn" {
			return nil
		}
		var id []any
		for _, r := range strings.FieldsFunc(p[5], func(r rune) bool { return r == ':' || r == '/' }) {
			id = append(id, r)
		}
		return map[string]any{"partition": p[1], "service": p[2], "region": p[3], "accountId": p[4], "resourceId": id}
	case "aws.isVirtualHostableS3Bucket":
		s, _ := text(0)
		return bucket.MatchString(s) && (args[1] == true || !strings.Contains(s, "."))
	case "uriEncode":
		s, _ := text(0)
		return url.PathEscape(s)
	}
	panic("unknown function " + fn)
}
