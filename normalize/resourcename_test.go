package normalize

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// google is a plan with projects that have numbers.
func google(t *testing.T) *Plan {
	t.Helper()
	s := spec(things(structure("Item", member("name", text()))), fieldOf{"item_name", schema.Text, at("name"), 0, false})
	s.Names = func(n string) (string, bool) { return "my-project", n == "123" }
	return compile(t, s)
}

func TestResourceNames(t *testing.T) {
	p := google(t)
	b := p.NewBuilder(memory.DefaultAllocator)
	defer b.Flush()
	b.Begin(Origin{Scope: schema.Scope{Account: "p", Region: "us-east1"}})
	for _, c := range []struct {
		op              TransformOp
		arg, text, want string
	}{
		// The same disk by the links of compute, of Asset Inventory and of a list.
		{FullName, "", "https://www.googleapis.com/compute/v1/projects/p/zones/z/disks/d", "//compute.googleapis.com/projects/p/zones/z/disks/d"},
		{FullName, "", "https://compute.googleapis.com/compute/beta/projects/p/zones/z/disks/d", "//compute.googleapis.com/projects/p/zones/z/disks/d"},
		{FullName, "", "//compute.googleapis.com/projects/123/zones/z/disks/d", "//compute.googleapis.com/projects/my-project/zones/z/disks/d"},
		{FullName, "compute.googleapis.com", "projects/123/zones/z/disks/d", "//compute.googleapis.com/projects/my-project/zones/z/disks/d"},
		{FullName, "compute.googleapis.com", "zones/z/disks/d", "//compute.googleapis.com/projects/p/zones/z/disks/d"},
		{FullName, "compute.googleapis.com", "/global/networks/n", "//compute.googleapis.com/projects/p/global/networks/n"},
		{FullName, "compute.googleapis.com, global/networks", "default", "//compute.googleapis.com/projects/p/global/networks/default"},
		{FullName, "compute.googleapis.com, regions/{region}/subnetworks", "s", "//compute.googleapis.com/projects/p/regions/us-east1/subnetworks/s"},
		{FullName, "compute.googleapis.com, zones/{region}/machineTypes", "https://www.googleapis.com/compute/v1/projects/p/zones/z/machineTypes/m", "//compute.googleapis.com/projects/p/zones/z/machineTypes/m"},
		// A regional endpoint is the same service where the catalogue says which.
		{FullName, "run.googleapis.com", "https://us-east1-run.googleapis.com/v2/projects/p/locations/us-east1/services/s", "//run.googleapis.com/projects/p/locations/us-east1/services/s"},
		// A number that is not known, and one that is no project's.
		{FullName, "", "//cloudkms.googleapis.com/projects/999/locations/l/keyRings/k", "//cloudkms.googleapis.com/projects/999/locations/l/keyRings/k"},
		{FullName, "cloudresourcemanager.googleapis.com", "folders/456", "//cloudresourcemanager.googleapis.com/folders/456"},
		{FullName, "cloudresourcemanager.googleapis.com", "projects/123", "//cloudresourcemanager.googleapis.com/projects/my-project"},
		// What is no name of a resource.
		{FullName, "", "https://example.com/image.png", ""},
		{FullName, "compute.googleapis.com", "default", ""},
		{FullName, "", "default", ""},
		{FullName, "compute.googleapis.com", "", ""},
		{Location, "", "https://www.googleapis.com/compute/v1/projects/p/zones/us-east1-b", "us-east1-b"},
		{Location, "", "projects/p/locations/europe-west4/clusters/c", "europe-west4"},
		{Location, "", "https://www.googleapis.com/compute/v1/projects/p/regions/us-east1/addresses/zones", "us-east1"},
		{Location, "", "projects/p/global/networks/n", "global"},
		{Location, "", "us-east1", "us-east1"},
		{Project, "", "//storage.googleapis.com/projects/123/buckets/b", "my-project"},
		{Project, "", "projects/p/zones/z", "p"},
		{Project, "", "123", "my-project"},
		{Project, "", "999", "999"},
		{Project, "", "folders/1", ""},
	} {
		tr := Transform{Op: c.op, Arg: c.arg}
		if err := tr.Check(); err != nil {
			t.Errorf("%s: %v", c.arg, err)
		}
		got := ""
		if v := b.transform([]value{{b: []byte(c.text)}}, 0, &tr); len(v) > 0 {
			got = string(v[0].b)
		}
		if got != c.want {
			t.Errorf("%d(%s) of %s: %q, want %q", c.op, c.arg, c.text, got, c.want)
		}
	}
	for _, arg := range []string{"a/b", ",x", "h,", "h, zones/{zone}", "projects/{account}"} {
		if (Transform{Op: FullName, Arg: arg}).Check() == nil {
			t.Errorf("full_name(%s) is taken", arg)
		}
	}
}

func TestLocatedRowsAreOfTheirOwnScopes(t *testing.T) {
	item := structure("Instance", member("id", text()), member("selfLink", text()))
	s := spec(Source{
		Call: "aggregatedList", Format: JSON, Items: path("items{}.instances[]"),
		Shape: structure("Output", member("items", dict(structure("Scoped", member("instances", list(item)))))),
	}, fieldOf{"link", schema.Text, at("selfLink"), 0, false})
	link := at("selfLink", Transform{Op: Location})
	s.ID = []Expr{at("id")}
	s.Region = Template{{Expr: &link}}
	s.Located = true
	p := compile(t, s)
	b := p.NewBuilder(memory.DefaultAllocator)
	o := Origin{Scope: schema.Scope{Cloud: "gcp", Account: "p", Region: "global", Kind: s.Kind.Name}}
	page := func(zones ...string) []byte {
		out := `{"items":{`
		for i, z := range zones {
			if i > 0 {
				out += ","
			}
			out += `"zones/` + z + `":{"instances":[{"id":"` + z + `1","selfLink":"x/zones/` + z + `/a"},{"id":"` + z + `2","selfLink":"x/zones/` + z + `/a"}]}`
		}
		return []byte(out + "}}")
	}
	b.Begin(o)
	if _, n, err := b.Page(page("a", "b"), nil); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	// A page that breaks leaves no trace.
	broken := page("c", "d")
	if _, _, err := b.Page(broken[:len(broken)-3], nil); err == nil {
		t.Fatal("a page that is cut is read")
	}
	if _, _, err := b.Page(page("b", "a"), nil); err != nil {
		t.Fatal(err)
	}
	if got := b.Located(); len(got) != 2 || got["a"] != 4 || got["b"] != 4 {
		t.Errorf("%v", got)
	}
	batch := b.Flush()
	defer batch.Release()
	want := []string{"a", "a", "b", "b", "b", "b", "a", "a"}
	for i, w := range want {
		if got := cell(batch.Rows.Column(schema.ColScope), i); got != `"gcp/p/`+w+`"` {
			t.Errorf("row %d is of scope %s, want %s", i, got, w)
		}
	}
	// Items that were split have their scopes, too.
	pg, err := p.Split(page("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Begin(o)
	for _, it := range pg.Items {
		if err := b.Append(it, nil); err != nil {
			t.Fatal(err)
		}
	}
	batch = b.Flush()
	defer batch.Release()
	if got := cell(batch.Rows.Column(schema.ColScope), 1); got != `"gcp/p/x"` || b.Located()["x"] != 2 {
		t.Errorf("%s, %v", got, b.Located())
	}
}
