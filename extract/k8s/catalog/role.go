package catalog

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
)

// discovery are what finding out what a cluster is and serves takes: its id,
// and in which version custom resources are stored. What the server itself
// says of its resources and their types every user may read.
var discovery = []rule{
	{APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{"kube-system"}, Verbs: []string{"get"}},
	{APIGroups: []string{"apiextensions.k8s.io"}, Resources: []string{"customresourcedefinitions"}, Verbs: []string{"list"}},
}

type rule struct {
	APIGroups     []string `yaml:"apiGroups,flow"`
	Resources     []string `yaml:"resources"`
	ResourceNames []string `yaml:"resourceNames,omitempty,flow"`
	Verbs         []string `yaml:"verbs,flow"`
}

// ClusterRole is the role, as YAML, that reading the kinds takes and nothing
// else. Who may list secrets may read them, so that they are in it only if
// their kind, which is optional, is among the entries.
func ClusterRole(name string, entries []*catalog.Entry) ([]byte, error) {
	return role(name, entries, discovery, "list")
}

// WriteRole is the role that reading, deleting and labelling single objects
// takes. What a cluster does not let anybody change is not served with these
// verbs.
func WriteRole(name string, entries []*catalog.Entry) ([]byte, error) {
	return role(name, entries, discovery, "get", "delete", "patch")
}

func role(name string, entries []*catalog.Entry, rules []rule, verbs ...string) ([]byte, error) {
	groups := map[string][]string{}
	for _, e := range entries {
		if e.Kind.Cloud != "kubernetes" {
			continue
		}
		for _, p := range e.Reads() {
			resource, ok := strings.CutPrefix(p, "list ")
			if !ok {
				return nil, fmt.Errorf("%s: %q is no permission to list", e.Kind.Name, p)
			}
			resource, group, _ := strings.Cut(resource, ".")
			if !slices.Contains(groups[group], resource) {
				groups[group] = append(groups[group], resource)
			}
		}
	}
	rules = slices.Clone(rules)
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		slices.Sort(groups[g])
		rules = append(rules, rule{APIGroups: []string{g}, Resources: groups[g], Verbs: verbs})
	}
	var b bytes.Buffer
	err := yaml.NewEncoder(&b, yaml.IndentSequence(true)).Encode(struct {
		APIVersion string            `yaml:"apiVersion"`
		Kind       string            `yaml:"kind"`
		Metadata   map[string]string `yaml:"metadata"`
		Rules      []rule            `yaml:"rules"`
	}{"rbac.authorization.k8s.io/v1", "ClusterRole", map[string]string{"name": name}, rules})
	return b.Bytes(), err
}
