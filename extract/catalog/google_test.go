package catalog

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/api"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

// google is Google Cloud without files.
func google() Vendor {
	return Vendor{
		Cloud: "gcp", Title: "Google Cloud",
		Name: regexp.MustCompile(`^gcp_[a-z0-9]+(_[a-z0-9]+)+$`), NameForm: "gcp_<api>_<noun>",
		ServiceForm: "the name and version of the API",
		Lookup:      gcpapi.Lookup, Format: gcpapi.Format, Wrap: gcpapi.Wrap, Normalize: gcpapi.Normalize,
		Scopes: []string{"account"}, SayUnpaged: true, Locations: "projects.locations.list",
		Partiality: &Partiality{Members: regexp.MustCompile(`(?i)unreachable|^missing|^failed|warning|partial|incomplete`), Harmless: []string{"NO_RESULTS_ON_PAGE"}},
	}
}

// loadGoogle compiles a file of Google Cloud, beside one of AWS.
func loadGoogle(text string) (*Catalogue, error) {
	d := parseDocument("g.yaml", []byte(text), false)
	d.cloud = "gcp"
	a := parseDocument("a.yaml", []byte(volumes), false)
	return build(append(aws(), google()), []*document{a, d}, nil)
}

const disks = `service: compute.v1
kinds:
  gcp_compute_disk:
    list: disks.aggregatedList
    input: {project: "{account}"}
    items: "items{}.disks[]"
    page: {size: 500}
    id: id
    urn: selfLink | full_name
    region: selfLink | location
    located: true
    created_at: creationTimestamp
    tags: labels
    redact: [diskEncryptionKey.rawKey, diskEncryptionKey.rsaEncryptedKey, sourceImageEncryptionKey, sourceSnapshotEncryptionKey]
`

func TestPartialAnswersAreFound(t *testing.T) {
	c, err := loadGoogle(disks)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Entry("gcp_compute_disk")
	want := &Partial{
		Members:      []PartialMember{{Name: "unreachables", Form: PartialPlaces}, {Name: "warning", Form: PartialWarnings}},
		Scopes:       "items",
		ScopeMembers: []PartialMember{{Name: "warning", Form: PartialWarnings}},
		Harmless:     []string{"NO_RESULTS_ON_PAGE"},
	}
	if !reflect.DeepEqual(e.List.Partial, want) {
		t.Errorf("%+v", e.List.Partial)
	}
	if !e.Spec.Located || !e.List.Account || e.Kind.Cloud != "gcp" || e.Kind.Service != "compute.v1" {
		t.Errorf("%+v", e.Kind)
	}
	if in, err := e.List.Inputs[0].Values(Vars{Account: "p"}); err != nil || in["project"] != "p" || in["maxResults"] != int64(500) {
		t.Errorf("%v, %v", in, err)
	}
}

// TestEveryFormOfPartialAnswers has the spellings of all lists there are.
func TestEveryFormOfPartialAnswers(t *testing.T) {
	p := google().Partiality
	for op, want := range map[string]string{
		"compute.v1 instances.aggregatedList":          "unreachables 1 , warning 3 ",
		"compute.v1 subnetworks.listUsable":            "scopedWarnings 3 scopeName/warning, unreachables 1 , warning 3 ",
		"container.v1 projects.zones.clusters.list":    "missingZones 1 ",
		"bigtableadmin.v2 projects.instances.list":     "failedLocations 1 ",
		"apigateway.v1 projects.locations.apis.list":   "unreachableLocations 1 ",
		"dataflow.v1b3 projects.locations.jobs.list":   "failedLocation 2 name",
		"sqladmin.v1 instances.list":                   "warnings 3 region",
		"run.v2 projects.locations.services.list":      "unreachable 1 ",
		"cloudkms.v1 projects.locations.keyRings.list": "",
	} {
		service, name, _ := strings.Cut(op, " ")
		s, err := gcpapi.Lookup(service)
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Operation(name)
		if err != nil {
			t.Error(err)
			continue
		}
		part, errs := p.partialOf(o.Output, nil, nil)
		var got []string
		if part != nil {
			for _, m := range part.Members {
				text := m.Name + " " + string('0'+rune(m.Form)) + " " + m.Place
				if m.Warning != "" {
					text += "/" + m.Warning
				}
				got = append(got, text)
			}
		}
		if strings.Join(got, ", ") != want || len(errs) > 0 {
			t.Errorf("%s: %q %v, want %q", op, strings.Join(got, ", "), errs, want)
		}
	}
	odd := &api.Shape{Name: "Odd", Type: "structure", Members: []api.Member{{Name: "partialResults", Shape: &api.Shape{Type: "boolean"}}}}
	if _, errs := p.partialOf(odd, nil, nil); len(errs) != 1 || errs[0].Error() != "partialResults of Odd may say that the answer is not whole, but its form is not known: say page: {harmless: {partialResults: why}} if it does not" {
		t.Error(errs)
	}
	if r, errs := p.partialOf(odd, nil, map[string]string{"partialResults": "is asked for"}); r != nil || len(errs) != 0 {
		t.Error(r, errs)
	}
}

func TestGoogleChecker(t *testing.T) {
	const clusters = "service: container.v1\nkinds:\n  gcp_container_cluster:\n    list: projects.locations.clusters.list\n    input: {parent: \"projects/{account}/locations/-\"}\n    items: clusters[]\n    id: id\n    region: location\n    redact: [masterAuth, nodeConfig, nodePools]\n"
	for name, c := range map[string]struct{ in, want string }{
		"sound":       {disks, ""},
		"not located": {strings.Replace(disks, "    located: true\n", "", 1), "g.yaml:6: gcp_compute_disk: disks.aggregatedList answers by location, each whole or not: say located: true, and region"},
		"no region":   {strings.Replace(disks, "    region: selfLink | location\n", "", 1), "located rows are of the scope of their region: say region"},
		"harmless":    {strings.Replace(disks, "{size: 500}", "{size: 500, harmless: {warnings: why}}", 1), `page: harmless: no member "warnings" in DiskAggregatedList; did you mean "warning"?`},
		"full_name":   {strings.Replace(disks, "| full_name", "| full_name(a/b)", 1), `full_name(a/b): "a/b" is no service: compute.googleapis.com`},
		"unpaged":     {clusters, "projects.locations.clusters.list knows no paging: say page: {none: why one call returns everything}"},
		"unpaged ok":  {clusters + "    page: {none: the list takes no token}\n", ""},
		"nowhere":     {clusters + "    page: {none: x}\n    located: true\n", "container.v1 has no operation (projects.locations.list) that lists where it is: what is gone from a location would not be seen; leave located out"},
		"cloud":       {"cloud: azure\nservice: x\nkinds: {}\n", `g.yaml:1: cloud: "azure" is none of aws, gcp`},
		"name":        {strings.Replace(disks, "gcp_compute_disk", "aws_compute_disk", 1), "a kind's name is gcp_<api>_<noun>, in lower case, at most 63 bytes"},
		"other cloud": {disks + "    for_each: aws_ec2_volume\n", "for_each: aws_ec2_volume is of the cloud aws, not gcp"},
		"recurse":     {disks + "    recurse: {folder: name}\n", `recurse: disks.aggregatedList has no text "folder" in its input`},
		"edge":        {disks + "    edges: [{to: aws_ec2_volume, ref: name, match: region_name}]\n", ""},
	} {
		_, err := loadGoogle(c.in)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestATokenThatIsNotTakenFails(t *testing.T) {
	c, err := loadGoogle("service: sqladmin.v1\nkinds:\n  gcp_sqladmin_instance:\n    list: instances.list\n    input: {project: \"{account}\"}\n    items: items[]\n    id: name\n    page: {size: 500}\n    drop: [replicaConfiguration, rootPassword, serverCaCert, diskEncryptionConfiguration, settings, onPremisesConfiguration]\n" +
		"  gcp_sqladmin_user:\n    for_each: gcp_sqladmin_instance\n    list: users.list\n    input: {project: \"{account}\", instance: \"{parent.name}\"}\n    items: items[]\n    id: [instance, name]\n    page: {none: the list takes no token}\n    drop: [password]\n")
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Entry("gcp_sqladmin_user")
	p := e.List.Pager
	if p == nil || len(p.Paths()) != 1 {
		t.Fatalf("%+v", p)
	}
	if more, err := p.Next(map[string]any{}, []string{""}); more || err != nil {
		t.Error(more, err)
	}
	if _, err := p.Next(map[string]any{}, []string{"t"}); err == nil || err.Error() != "the answer is cut: it has a token (nextPageToken) that the call does not take" {
		t.Error(err)
	}
}

func TestCloudsDoNotCollide(t *testing.T) {
	// Two services of one name, and kinds of one noun.
	d := parseDocument("g.yaml", []byte("service: dns\nkinds:\n  gcp_dns_zone: {list: ListClusters, items: \"clusterArns[]\", id: .}\n"), false)
	d.cloud = "gcp"
	a := parseDocument("a.yaml", []byte("service: dns\nkinds:\n  aws_dns_zone: {list: ListClusters, items: \"clusterArns[]\", id: ., edges: [{to: gcp_dns_zone, ref: .}]}\n"), false)
	vs := append(aws(), aws()[0])
	vs[1].Cloud, vs[1].Name = "gcp", google().Name
	for i := range vs {
		lookup := vs[i].Lookup
		vs[i].Lookup = func(string) (*api.Service, error) { return lookup("ecs") }
	}
	c, err := build(vs, []*document{a, d}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Lists(c.Entries())) != 2 {
		t.Error("one list reads two clouds")
	}
	for words, want := range map[string]string{"dns": "aws_dns_zone gcp_dns_zone", "gcp": "gcp_dns_zone", "zone": "aws_dns_zone gcp_dns_zone", "aws_*": "aws_dns_zone"} {
		es, err := c.Select(strings.Fields(words), nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range es {
			names = append(names, e.Kind.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s selects %s, want %s", words, got, want)
		}
	}
}

func TestParentsOfOtherServices(t *testing.T) {
	d := []*document{
		parseDocument("v2.yaml", []byte("service: apigatewayv2\nkinds:\n  aws_apigatewayv2_api_mapping:\n    for_each: aws_apigateway_domain_name\n    list: GetApiMappings\n    input: {DomainName: \"{parent.domainName}\"}\n    page: {token: {NextToken: NextToken}}\n    items: Items[]\n    id: [\"{parent.domainName}\", ApiMappingId]\nactions: {GetApiMappings: apigateway:GET}\n"), false),
		parseDocument("v1.yaml", []byte("service: apigateway\nkinds:\n  aws_apigateway_domain_name: {list: GetDomainNames, items: \"items[]\", id: domainName}\nactions: {GetDomainNames: apigateway:GET}\n"), false),
		parseDocument("e.yaml", []byte(volumes), false),
	}
	for _, only := range [][]string{nil, {"aws_apigatewayv2_api_mapping"}} {
		c, err := build(aws(), d, only)
		if err != nil {
			t.Fatal(err)
		}
		e, ok := c.Entry("aws_apigatewayv2_api_mapping")
		if !ok || e.Parent == nil || e.Parent.Kind.Service != "apigateway" {
			t.Fatalf("%+v", e)
		}
		got := calls(c.Lists([]*Entry{e}), "")
		if !strings.HasPrefix(got, "apigateway GetDomainNames") || !strings.Contains(got, "\n  apigatewayv2 GetApiMappings") {
			t.Error(got)
		}
		if _, ok := c.Entry("aws_ec2_volume"); ok == (only != nil) {
			t.Errorf("%v: volumes are compiled: %t", only, ok)
		}
	}
}
