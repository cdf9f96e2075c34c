// Package catalog holds the catalogue of Google Cloud kinds, one YAML file an
// API, and what the catalogue's compiler has to know of Google Cloud.
package catalog

import (
	"cmp"
	"embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

//go:embed *.yaml
var files embed.FS

// Vendor is Google Cloud.
func Vendor() catalog.Vendor {
	return catalog.Vendor{
		Cloud: "gcp", Title: "Google Cloud",
		Name: regexp.MustCompile(`^gcp_[a-z0-9]+(_[a-z0-9]+)+$`), NameForm: "gcp_<api>_<noun>",
		ServiceForm: "the name and version of the API",
		Files:       files,
		Lookup:      gcpapi.Lookup, Format: gcpapi.Format, Wrap: gcpapi.Wrap, Normalize: gcpapi.Normalize,
		// A project is listed at once: a location is a parent, or "-" for all.
		Scopes:      []string{"account"},
		Permissions: permissions,
		Awaits:      awaits,
		SayUnpaged:  true,
		Locations:   "projects.locations.list",
		Partiality:  &catalog.Partiality{Members: partial, Harmless: []string{"NO_RESULTS_ON_PAGE"}},
	}
}

// partial matches the nine names of what says that an answer lacks something.
// All codes of warnings but the harmless one do, new ones too.
var partial = regexp.MustCompile(`^(?:unreachables?|unreachableLocations|missingZones|failedLocations?|warnings?|scopedWarnings)$`)

var permission = regexp.MustCompile(`^[a-z][a-z0-9]*(\.googleapis\.com/|\.)[a-zA-Z][a-zA-Z0-9]*\.[a-zA-Z][a-zA-Z0-9]*$`)

// verbs are those whose permission is another's.
var verbs = map[string]string{"aggregatedList": "list", "search": "list", "patch": "update"}

// permissions are what a call needs of the caller. The descriptions do not
// say; by the rule it is the API, the collection and the verb of the
// operation: projects.locations.keyRings.list of cloudkms.v1 is
// cloudkms.keyRings.list. Where it is not, the file says the permission.
// https://cloud.google.com/iam/docs/permissions-reference has all of them.
func permissions(svc *api.Service, op *api.Operation, prefix string, said []string) ([]string, error) {
	for _, p := range said {
		if !permission.MatchString(p) {
			return nil, fmt.Errorf("%s: %q is no permission: its form is service.collection.verb", op.Name, p)
		}
	}
	if said != nil {
		return said, nil
	}
	name, _, _ := strings.Cut(svc.Name, ".")
	parts := strings.Split(op.Name, ".")
	if len(parts) < 2 {
		return nil, fmt.Errorf("say actions: {%s: the permission it needs}", op.Name)
	}
	verb := parts[len(parts)-1]
	return []string{strings.Join([]string{cmp.Or(prefix, name), parts[len(parts)-2], cmp.Or(verbs[verb], verb)}, ".")}, nil
}

// operations are the services whose operations have a permission of their own
// by the rule: alloydb.operations.get. Of the others they need none, or the one
// that is not known.
var operations = map[string]string{
	"alloydb.v1": "projects.locations", "certificatemanager.v1": "projects.locations", "cloudfunctions.v2": "projects.locations",
	"composer.v1": "projects.locations", "container.v1": "projects.locations", "dataproc.v1": "projects.regions",
	"eventarc.v1": "projects.locations", "file.v1": "projects.locations", "firestore.v1": "projects.databases",
	"memcache.v1": "projects.locations", "networkconnectivity.v1": "projects.locations", "redis.v1": "projects.locations",
	"run.v2": "projects.locations", "vpcaccess.v1": "projects.locations", "workflows.v1": "projects.locations",
}

// awaits is the call that asks for the operation that a call begins.
func awaits(svc *api.Service, op *api.Operation) *api.Operation {
	if op.Output == nil || !strings.HasSuffix(op.Output.Name, "Operation") || op.Method == "GET" {
		return nil
	}
	switch {
	case svc.Name == "sqladmin.v1":
		return svc.Operations["operations.get"]
	case svc.Name != "compute.v1":
		return svc.Operations[operations[svc.Name]+".operations.get"]
	case strings.Contains(op.URI, "/zones/"):
		return svc.Operations["zoneOperations.get"]
	case strings.Contains(op.URI, "/regions/"):
		return svc.Operations["regionOperations.get"]
	}
	return svc.Operations["globalOperations.get"]
}
