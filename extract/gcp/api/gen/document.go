package main

import (
	"cmp"
	"regexp"
	"slices"
)

// document is a discovery document:
// https://developers.google.com/discovery/v1/reference/apis.
type document struct {
	Name, Version, Title string
	RootURL, MTLSRootURL string
	ServicePath          string
	Schemas              map[string]*schema
	Resources            map[string]*resource
	Methods              map[string]*method
	Endpoints            []struct{ EndpointURL, Location string }
	Auth                 struct {
		OAuth2 struct{ Scopes map[string]any }
	}
	CanonicalName, Revision string
}

// resource is a group of methods.
type resource struct {
	Methods   map[string]*method
	Resources map[string]*resource
}

type method struct {
	ID, HTTPMethod, Path, Description string
	Parameters                        map[string]*schema
	ParameterOrder                    []string
	Request, Response                 *schema
	SupportsMediaDownload             bool
	Deprecated                        bool
}

// schema is a JSON schema, or a parameter, which is described as one.
type schema struct {
	ID                   string
	Ref                  string `json:"$ref"`
	Type, Format         string
	Description, Pattern string
	Properties           map[string]*schema
	AdditionalProperties *schema
	Items                *schema
	Enum                 []string
	Minimum, Maximum     string
	// Of parameters.
	Location           string
	Required, Repeated bool
}

// key is the service's name in the catalogue: compute.v1.
func (d *document) key() string { return d.Name + "." + d.Version }

// unstable versions may change or go without notice.
var unstable = regexp.MustCompile(`alpha|beta|preview|eap|v\d+p\d`)

// cloudPlatform is the OAuth scope of Google Cloud's APIs. Those of Workspace,
// Ads, Maps and YouTube do not have it.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// selected are the documents of Google Cloud's APIs: the stable versions, or
// all of an API that has none. They are sorted.
func selected(docs []*document) []*document {
	stable := map[string]bool{}
	var out []*document
	for _, d := range docs {
		if _, ok := d.Auth.OAuth2.Scopes[cloudPlatform]; ok {
			out = append(out, d)
			stable[d.Name] = stable[d.Name] || !unstable.MatchString(d.Version)
		}
	}
	out = slices.DeleteFunc(out, func(d *document) bool { return stable[d.Name] && unstable.MatchString(d.Version) })
	slices.SortFunc(out, func(a, b *document) int { return cmp.Compare(a.key(), b.key()) })
	return out
}

// methods calls f for all methods of the document.
func (d *document) methods(f func(*method)) {
	var walk func(map[string]*method, map[string]*resource)
	walk = func(ms map[string]*method, rs map[string]*resource) {
		for _, m := range ms {
			f(m)
		}
		for _, r := range rs {
			walk(r.Methods, r.Resources)
		}
	}
	walk(d.Methods, d.Resources)
}
