package catalog

import (
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
)

func TestRoles(t *testing.T) {
	c := load(t)
	var entries []*catalog.Entry
	for _, k := range []string{"gcp_cloudresourcemanager_folder", "gcp_compute_disk", "gcp_compute_zone"} {
		e, _ := c.Entry(k)
		entries = append(entries, e)
	}
	for _, x := range []struct{ name, got, want string }{
		{"organisation", string(ReadRole(entries, false, nil)), `title: dewpoint read
description: What dewpoint reads resources by.
stage: GA
includedPermissions:
- compute.disks.list
- compute.zones.list
- resourcemanager.folders.get
- resourcemanager.folders.list
- resourcemanager.projects.get
- resourcemanager.projects.list
`},
		{"project", string(ReadRole(entries, true, nil)), `title: dewpoint read
description: What dewpoint reads resources by.
stage: GA
includedPermissions:
- compute.disks.list
- compute.zones.list
- resourcemanager.projects.get
`},
		{"inventory", string(ReadRole(entries, true, []string{"gcp_compute_disk"})), `title: dewpoint read
description: What dewpoint reads resources by.
stage: GA
includedPermissions:
- cloudasset.assets.listResource
- compute.zones.list
- resourcemanager.projects.get
`},
		{"write", string(WriteRole(entries, false)), `title: dewpoint write
description: What dewpoint deletes and labels resources by.
stage: GA
includedPermissions:
- compute.disks.createSnapshot
- compute.disks.delete
- compute.disks.get
- compute.disks.setLabels
- compute.regionOperations.get
- compute.snapshots.create
- compute.snapshots.get
- compute.zoneOperations.get
- compute.zones.get
- resourcemanager.folders.get
- resourcemanager.projects.get
`},
	} {
		if x.got != x.want {
			t.Errorf("%s: got:\n%s\nwant:\n%s", x.name, x.got, x.want)
		}
	}
}
