package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

//go:embed endpoints.json
var endpointData []byte

// EndpointTable is the notation of the embedded endpoints. It says for
// regions what differs from {prefix}.{region}.{suffix}.
type EndpointTable struct {
	Partitions []Partition `json:"partitions"`
	// Services by name, or by name and variant ("acm ServiceType=ACM-ACME"),
	// with "account" behind it for the endpoints that are an account's own.
	Services map[string]EndpointRules `json:"services"`
	// Present holds the regions in which an endpoint prefix is known, by
	// partition; "*" is all of them but those with a "-" in front.
	Present map[string]map[string][]string `json:"present"`
}

// EndpointRules are the endpoints of a service, by kind of endpoint and then
// by region, partition or "*" for all others. A value is an URL with {region},
// {home}, {suffix}, {dual} and {account}; behind it, after a space, may stand "name/region" to
// sign for, either of which may be empty. One that begins with "!" is the
// reason why there is no endpoint.
type EndpointRules struct {
	Plain map[string]string `json:"plain,omitempty"`
	FIPS  map[string]string `json:"fips,omitempty"`
	Dual  map[string]string `json:"dual,omitempty"`
	Both  map[string]string `json:"both,omitempty"`
}

// Kind returns the rules for a kind of endpoint.
func (r *EndpointRules) Kind(fips, dual bool) *map[string]string {
	switch {
	case fips && dual:
		return &r.Both
	case fips:
		return &r.FIPS
	case dual:
		return &r.Dual
	}
	return &r.Plain
}

// Partition is a set of regions with one domain and one set of accounts.
type Partition struct {
	// Name as it stands in ARNs: aws, aws-cn.
	Name string `json:"name"`
	// Suffix and DualSuffix are the domains of endpoints and of dual-stack ones.
	Suffix     string `json:"suffix"`
	DualSuffix string `json:"dual_suffix"`
	// Home is the region that global services sign for.
	Home string `json:"home"`
	// Pattern matches the names of regions, also of those to come.
	Pattern string `json:"pattern"`
	// Regions, sorted.
	Regions []string `json:"regions"`
}

var endpoints = sync.OnceValue(func() *EndpointTable {
	t := new(EndpointTable)
	if err := json.Unmarshal(endpointData, t); err != nil {
		panic("api: embedded endpoints: " + err.Error())
	}
	return t
})

// Partitions returns all partitions. They are shared.
func Partitions() []Partition { return endpoints().Partitions }

// PartitionOf returns the partition of a region, by its name's pattern where
// the region is new, and nil where there is none. A partition's own name
// stands for it, too.
func PartitionOf(region string) *Partition { return endpoints().partition(region) }

func (t *EndpointTable) partition(region string) *Partition {
	for i := range t.Partitions {
		if t.Partitions[i].Name == region || slices.Contains(t.Partitions[i].Regions, region) {
			return &t.Partitions[i]
		}
	}
	for i := range t.Partitions {
		if ok, err := regexp.MatchString(t.Partitions[i].Pattern, region); ok && err == nil {
			return &t.Partitions[i]
		}
	}
	return nil
}

// EndpointOptions choose among the endpoints of a service.
type EndpointOptions struct {
	FIPS, DualStack bool
	// AccountID, if set, chooses the account's own endpoint where the service
	// has some: dynamodb, kinesis. What HostPrefix of an operation says is apart.
	AccountID string
}

// Endpoint is where a service is asked, and what is signed for.
type Endpoint struct {
	URL           string
	SigningName   string
	SigningRegion string
}

// EndpointOf finds where an operation of a service is asked in a region; the
// operation may be nil. That there is an endpoint does not say that the service
// is there.
func EndpointOf(s *api.Service, op *api.Operation, region string, o EndpointOptions) (Endpoint, error) {
	return endpoints().Resolve(s, op, region, o)
}

// Resolve finds where an operation is asked, as EndpointOf does.
func (t *EndpointTable) Resolve(s *api.Service, op *api.Operation, region string, o EndpointOptions) (Endpoint, error) {
	p := t.partition(region)
	if p == nil || p.Name == region {
		return Endpoint{}, fmt.Errorf("endpoint of %s: unknown region %q", s.Name, region)
	}
	name := s.Name
	if op != nil && op.Variant != "" {
		name += " " + op.Variant
	}
	rules, own := t.Services[name+" account"]
	if o.AccountID == "" || !own {
		rules = t.Services[name]
	}
	rule := ""
	set := *rules.Kind(o.FIPS, o.DualStack)
	for _, key := range []string{region, p.Name, "*"} {
		if rule = set[key]; rule != "" {
			break
		}
	}
	if rule == "" {
		rule = DefaultEndpoint(s.EndpointPrefix, o.FIPS)
	}
	if reason, ok := strings.CutPrefix(rule, "!"); ok {
		return Endpoint{}, fmt.Errorf("endpoint of %s in %s: %s", s.Name, region, reason)
	}
	suffix := p.Suffix
	if o.DualStack {
		suffix = p.DualSuffix
	}
	url, sign, _ := strings.Cut(rule, " ")
	signName, signRegion, _ := strings.Cut(sign, "/")
	fill := strings.NewReplacer("{region}", region, "{home}", p.Home, "{suffix}", suffix, "{dual}", p.DualSuffix, "{account}", o.AccountID)
	return Endpoint{
		URL:           fill.Replace(url),
		SigningName:   first(signName, s.SigningName),
		SigningRegion: first(fill.Replace(signRegion), region),
	}, nil
}

// DefaultEndpoint is the rule for what the table does not name.
func DefaultEndpoint(prefix string, fips bool) string {
	if fips {
		prefix += "-fips"
	}
	return "https://" + prefix + ".{region}.{suffix}"
}

// Presence says whether a service is in a region.
type Presence uint8

// What is known of a service in a region. Absent is a hint, too: the list is
// made by hand and lacks what is new.
const (
	PresenceUnknown Presence = iota
	Present
	Absent
)

// PresenceOf says what is known of the service in a region.
func PresenceOf(s *api.Service, region string) Presence {
	p := PartitionOf(region)
	t := endpoints()
	if p == nil || !slices.Contains(p.Regions, region) {
		return PresenceUnknown
	}
	known := false
	for name, prefixes := range t.Present {
		regions, ok := prefixes[s.EndpointPrefix]
		known = known || ok
		if ok && name == p.Name {
			if slices.Contains(regions, region) || slices.Contains(regions, "*") && !slices.Contains(regions, "-"+region) {
				return Present
			}
			return Absent
		}
	}
	if known {
		return Absent
	}
	return PresenceUnknown
}
