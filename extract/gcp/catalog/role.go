package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
)

// discovery are the permissions that finding projects takes. A role of a
// project cannot have those of folders and organisations.
var (
	discovery         = []string{"resourcemanager.projects.get"}
	discoveryInFolder = []string{"resourcemanager.folders.list", "resourcemanager.projects.list"}
)

// ReadRole is the definition of a custom role that reading the kinds takes and
// nothing else, as gcloud iam roles create --file takes it: one of an
// organisation, or one of a project, which finds no other projects. The
// kinds named in inventory are read from the Cloud Asset Inventory.
func ReadRole(entries []*catalog.Entry, project bool, inventory []string) []byte {
	permissions := slices.Clone(discovery)
	if !project {
		permissions = append(permissions, discoveryInFolder...)
	}
	for _, e := range entries {
		if slices.Contains(inventory, e.Kind.Name) {
			permissions = append(permissions, "cloudasset.assets.listResource")
			continue
		}
		permissions = append(permissions, e.Reads()...)
	}
	return role("dewpoint read", "What dewpoint reads resources by.", only(permissions, project))
}

// only are the permissions that a role of a project can have, or all.
func only(permissions []string, project bool) []string {
	if !project {
		return permissions
	}
	return slices.DeleteFunc(permissions, func(p string) bool {
		return strings.HasPrefix(p, "resourcemanager.folders.") || strings.HasPrefix(p, "resourcemanager.organizations.") || strings.HasPrefix(p, "billing.accounts.")
	})
}

// WriteRole is the definition of a custom role that reading one resource,
// deleting it and setting its labels takes, with asking how far that is.
func WriteRole(entries []*catalog.Entry, project bool) []byte {
	permissions := slices.Clone(discovery)
	for _, e := range entries {
		permissions = append(permissions, e.Writes()...)
	}
	return role("dewpoint write", "What dewpoint deletes and labels resources by.", only(permissions, project))
}

func role(title, description string, permissions []string) []byte {
	slices.Sort(permissions)
	var b strings.Builder
	fmt.Fprintf(&b, "title: %s\ndescription: %s\nstage: GA\nincludedPermissions:\n", title, description)
	for _, p := range slices.Compact(permissions) {
		fmt.Fprintf(&b, "- %s\n", p)
	}
	return []byte(b.String())
}
