package sinktest

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// referenceCases are those of references as Kubernetes and Google Cloud make
// them: by region and name, by bare uid, and into other clouds.
var referenceCases = []testCase{
	{"EdgesByRegionAndName", testRegionName},
	{"EdgesByRegionAndNameAreRetried", testRegionNameRetried},
	{"EdgesToAnyKindByUID", testUID},
	{"EdgesToOtherClouds", testOtherClouds},
	{"EdgesToOtherCloudsAreRetried", testOtherCloudsRetried},
}

// The two clusters and the project of these estates.
const (
	clusterA = "0f7f1a52-2b0c-4a0e-8a1e-3c6a5b1d9e01"
	clusterB = "7a3e9d10-55cf-4a6f-9d3b-b2f0c4e8a702"
	project  = "shop-prod-1"
)

// object is a kind of a cluster, whose ids are uids.
func object(noun string, columns ...schema.Column) *schema.Kind {
	k := newKind("kubernetes_test_"+noun, columns...)
	k.Cloud, k.KeyScope = "kubernetes", schema.KeyAccount
	return k
}

// pod refers to configs by region and name, and to anything by uid.
func pod() *schema.Kind {
	k := object("pod", column("phase", schema.Text))
	k.Edges = []schema.Edge{
		{To: "kubernetes_test_config", Ref: "spec.config", Relation: "mounts", Match: schema.MatchRegionName, OnDelete: schema.Block},
		{To: "", Ref: "metadata.ownerReferences[].uid", Relation: "owned_by", Match: schema.MatchID, OnDelete: schema.Cascade},
	}
	return k
}

// node refers to the machine it runs on.
func node() *schema.Kind {
	k := object("node")
	k.Edges = []schema.Edge{
		{To: "gcp_test_machine", Ref: "spec.providerID", Relation: "runs_on", Match: schema.MatchID, OnDelete: schema.Block},
		{To: "aws_test_box", Ref: "spec.providerID", Relation: "runs_on", Match: schema.MatchID, OnDelete: schema.Block},
	}
	return k
}

// machine is a kind of Google Cloud.
func machine() *schema.Kind {
	k := newKind("gcp_test_machine")
	k.Cloud = "gcp"
	return k
}

func machineURN(n string) string {
	return "//compute.googleapis.com/projects/" + project + "/zones/europe-west1-b/instances/" + n
}

func machineRow(n string) Row {
	return Row{ID: "88" + n, Name: n, Region: "europe-west1", URN: machineURN(n)}
}

// uid is a uid of an object.
func uid(n int) string { return fmt.Sprintf("9c1d2e3f-0000-4000-8000-%012d", n) }

// objectRow is an object in a namespace.
func objectRow(n int, namespace, name string, refs ...Ref) Row {
	return Row{ID: uid(n), URN: uid(n), Region: namespace, Name: name, Refs: refs}
}

// list is the list of all objects of a kind in a cluster.
func list(k *schema.Kind, cluster string, rows ...Row) read {
	return read{scope: scopeOf(k, cluster, "global"), rows: rows}
}

func idOf(k *schema.Kind, cluster string, n int) string { return ID(k, cluster, "", uid(n)).String() }

func testRegionName(h *harness) {
	p, c, other := pod(), object("config"), object("secret")
	mounts := []string{
		"shop/settings",      // of the pod's own namespace
		"infra/settings",     // of another one
		"global/settings",    // of no namespace
		"shop/everywhere",    // only global has the name
		"shop/there",         // only another cluster has it
		"shop/twice",         // two
		"shop/nobody",        // none
		"a/b/c",              // ends at the first slash
		"plain",              // an id
		"shop/id",            // an id that looks like it
		"shop/urn",           // a urn that looks like it
		"shop/Settings",      // another name
		uid(1),               // a uid
		"/settings", "shop/", // halves
		"settings", "shop", // without a slash
		"//shop/settings", "", // nonsense
	}
	row := objectRow(100, "shop", "web-1")
	for _, m := range mounts {
		row.Refs = append(row.Refs, Ref{0, m})
	}
	id, urn := objectRow(20, "shop", "x20"), objectRow(21, "shop", "x21")
	id.ID, urn.URN = "shop/id", "shop/urn"
	reads := []read{
		list(c, clusterA,
			objectRow(1, "shop", "settings"), objectRow(2, "infra", "settings"), objectRow(3, "global", "settings"), objectRow(4, "global", "everywhere"),
			objectRow(5, "shop", "twice"), objectRow(6, "shop", "twice"), objectRow(7, "a", "b/c"), objectRow(8, "a/b", "c"),
			Row{ID: "plain", Region: "shop", Name: "x9"}, id, urn),
		list(c, clusterB, objectRow(1, "shop", "settings"), objectRow(10, "shop", "there")),
		list(other, clusterA, objectRow(11, "shop", "settings"), objectRow(12, "shop", "nobody")),
		list(p, clusterA, row),
		list(p, clusterB, objectRow(101, "infra", "web-2", Ref{0, "shop/settings"}, Ref{0, "infra/settings"})),
	}
	want := []string{
		"mounts|kubernetes_test_config|shop/settings|" + idOf(c, clusterA, 1) + "|name|block",
		"mounts|kubernetes_test_config|infra/settings|" + idOf(c, clusterA, 2) + "|name|block",
		"mounts|kubernetes_test_config|global/settings|" + idOf(c, clusterA, 3) + "|name|block",
		"mounts|kubernetes_test_config|shop/twice|NULL|ambiguous|block",
		"mounts|kubernetes_test_config|a/b/c|" + idOf(c, clusterA, 7) + "|name|block",
		"mounts|kubernetes_test_config|shop/settings|" + idOf(c, clusterB, 1) + "|name|block",
		"mounts|kubernetes_test_config|infra/settings|NULL|not_collected|block",
	}
	for _, m := range mounts {
		switch m {
		case "shop/settings", "infra/settings", "global/settings", "shop/twice", "a/b/c":
		default:
			want = append(want, "mounts|kubernetes_test_config|"+m+"|NULL|not_collected|block")
		}
	}
	sum := h.reads(kinds(p, other, c), reads...)
	if sum.Edges != int64(len(want)) {
		h.Errorf("the summary counts %d edges, want %d", sum.Edges, len(want))
	}
	h.want(edgeQuery, want...)
	h.reads(kinds(p, other, c), reads...)
	h.want(edgeQuery, want...)
	// A pod that comes later finds what stands.
	reads[3].rows = append(reads[3].rows, objectRow(102, "infra", "web-3", Ref{0, "shop/settings"}, Ref{0, "global/settings"}))
	h.reads(kinds(p, other, c), reads...)
	h.want("SELECT to_ref, to_id, resolution FROM edges WHERE from_id = '"+idOf(p, clusterA, 102)+"'",
		"shop/settings|"+idOf(c, clusterA, 1)+"|name", "global/settings|"+idOf(c, clusterA, 3)+"|name")
}

func testRegionNameRetried(h *harness) {
	p, c := pod(), object("config")
	pods := list(p, clusterA, objectRow(100, "infra", "web-1", Ref{0, "shop/settings"}, Ref{0, "shop/twice"}, Ref{0, "shop/late"}, Ref{0, uid(9)}))
	mounts := func(late, settings, twice string) {
		h.Helper()
		h.want("SELECT to_ref, to_id, resolution FROM edges", "shop/late|"+late, "shop/settings|"+settings, "shop/twice|"+twice, uid(9)+"|NULL|not_collected")
	}
	const not, ambiguous, gone = "NULL|not_collected", "NULL|ambiguous", "NULL|gone"
	name := func(n int) string { return idOf(c, clusterA, n) + "|name" }
	settings, late := objectRow(1, "shop", "settings"), objectRow(9, "shop", "late")
	one, two := objectRow(5, "shop", "twice"), objectRow(6, "shop", "twice")

	failed := list(c, clusterA)
	failed.state = schema.Failed
	h.reads(kinds(p, c), pods, failed)
	mounts(not, not, not)
	// Rows of another cluster, namespace or name decide nothing.
	h.reads(kinds(p, c), pods, failed, list(c, clusterB, settings), list(c, clusterA+"-2", settings))
	mounts(not, not, not)
	h.reads(kinds(p, c), pods, list(c, clusterA, settings, one, two, objectRow(7, "infra", "late"), objectRow(8, "shop", "later")))
	mounts(not, name(1), ambiguous)
	// The sync that adds or ends the row may be of other kinds.
	h.reads(kinds(c), list(c, clusterA, settings, two, late))
	mounts(name(9), name(1), name(6))
	h.reads(kinds(p, c), pods, list(c, clusterA, two, late))
	mounts(name(9), gone, name(6))
	h.reads(kinds(p, c), pods, list(c, clusterA, two, late))
	mounts(name(9), gone, name(6))
	// It is made anew, with another uid.
	h.reads(kinds(c), list(c, clusterA, objectRow(2, "shop", "settings"), two, late))
	mounts(name(9), name(2), name(6))
	h.want("SELECT count(*) FROM edges", "4")
}

func testUID(h *harness) {
	p, set, c := pod(), object("set"), object("config")
	if _, err := uuid.Parse(uid(1)); err != nil {
		h.Fatal(err)
	}
	pods := list(p, clusterA,
		objectRow(100, "shop", "web-1", Ref{1, uid(1)}), objectRow(101, "shop", "web-2", Ref{1, uid(100)}), objectRow(102, "shop", "web-3", Ref{1, uid(2)}),
		objectRow(103, "shop", "web-4", Ref{1, uid(3)}), objectRow(104, "shop", "web-5", Ref{1, uid(4)}))
	owners := "SELECT from_id, to_kind, to_ref, to_id, resolution, on_delete FROM edges"
	of := func(pod int, kind, ref, to string) string {
		return fmt.Sprintf("%s|%s|%s|%s|cascade", idOf(p, clusterA, pod), kind, ref, to)
	}
	sets := list(set, clusterA, objectRow(1, "shop", "web"), objectRow(4, "shop", "four"))
	h.reads(kinds(set, p, c), pods, sets, list(set, clusterB, objectRow(2, "shop", "web")),
		list(c, clusterA, objectRow(4, "shop", "a second row with the uid")))
	want := []string{
		of(100, set.Name, uid(1), idOf(set, clusterA, 1)+"|urn"),
		of(101, p.Name, uid(100), idOf(p, clusterA, 100)+"|urn"),
		of(102, set.Name, uid(2), idOf(set, clusterB, 2)+"|urn"),
		of(103, "", uid(3), "NULL|not_collected"),
		of(104, "", uid(4), "NULL|ambiguous"),
	}
	h.want(owners, want...)
	// Later, in a sync without pods.
	h.reads(kinds(c), list(c, clusterA, objectRow(3, "shop", "three")))
	want[3] = of(103, c.Name, uid(3), idOf(c, clusterA, 3)+"|urn")
	want[4] = of(104, set.Name, uid(4), idOf(set, clusterA, 4)+"|urn")
	h.want(owners, want...)
	h.reads(kinds(set, p, c), pods, sets, list(c, clusterA, objectRow(3, "shop", "three")))
	h.want(owners, want...)
}

// testOtherClouds resolves references into accounts of other clouds.
func testOtherClouds(h *harness) {
	n, g, b := node(), machine(), box()
	machines := read{scope: scopeOf(g, project, "europe-west1"), rows: []Row{machineRow("m1"), machineRow("m2")}}
	nodes := list(n, clusterA,
		objectRow(1, "global", "n1", Ref{0, machineURN("m1")}), objectRow(2, "global", "n2", Ref{0, "88m2"}), objectRow(3, "global", "n3", Ref{1, "i-1"}),
		objectRow(4, "global", "n4", Ref{1, "i-2"}), objectRow(5, "global", "n5", Ref{0, machineURN("m3")}), objectRow(6, "global", "n6", Ref{1, "arn:aws:test:us-east-1:222222222222:i-2"}))
	boxes := []read{
		{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "i-1"}, {ID: "i-2"}}},
		{scope: scopeOf(b, accountB, east), rows: []Row{{ID: "i-2"}}},
	}
	all := append([]read{nodes, machines}, boxes...)
	mid := func(name string) string { return ID(g, project, "europe-west1", "88"+name).String() }
	want := []string{
		"n1|gcp_test_machine|" + mid("m1") + "|urn",
		"n2|gcp_test_machine|" + mid("m2") + "|id",
		"n3|aws_test_box|" + ID(b, accountA, west, "i-1").String() + "|id",
		"n4|aws_test_box|NULL|ambiguous",
		"n5|gcp_test_machine|NULL|not_collected",
		"n6|aws_test_box|" + ID(b, accountB, east, "i-2").String() + "|urn",
	}
	const query = "SELECT r.name, e.to_kind, e.to_id, e.resolution FROM edges e JOIN resources r ON r._id = e.from_id"
	h.reads(kinds(n, g, b), all...)
	h.want(query, want...)
	h.reads(kinds(n, g, b), all...)
	h.want(query, want...)
	// Another cluster comes by itself: what it refers to stands already.
	h.reads(kinds(n), nodes, list(n, clusterB, objectRow(11, "global", "n11", Ref{0, machineURN("m2")}), objectRow(12, "global", "n12", Ref{1, "i-1"})))
	want = append(want, "n11|gcp_test_machine|"+mid("m2")+"|urn", "n12|aws_test_box|"+ID(b, accountA, west, "i-1").String()+"|id")
	h.want(query, want...)
}

// testOtherCloudsRetried reads each cloud in a sync of its own, the referrers
// first.
func testOtherCloudsRetried(h *harness) {
	n, g, b := node(), machine(), box()
	nodes := list(n, clusterA, objectRow(1, "global", "n1", Ref{0, machineURN("m1")}), objectRow(2, "global", "n2", Ref{0, "88m2"}), objectRow(3, "global", "n3", Ref{1, "i-1"}))
	const query = "SELECT to_kind, to_ref, to_id, resolution FROM edges"
	edges := func(m1, m2, i1 string) {
		h.Helper()
		h.want(query, "gcp_test_machine|"+machineURN("m1")+"|"+m1, "gcp_test_machine|88m2|"+m2, "aws_test_box|i-1|"+i1)
	}
	const not, gone = "NULL|not_collected", "NULL|gone"
	mid := func(name string) string { return ID(g, project, "europe-west1", "88"+name).String() }
	h.reads(kinds(n), nodes)
	edges(not, not, not)
	h.reads(kinds(g), read{scope: scopeOf(g, project, "europe-west1"), rows: []Row{machineRow("m1"), machineRow("m2")}})
	edges(mid("m1")+"|urn", mid("m2")+"|id", not)
	h.reads(kinds(b), read{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "i-1"}}})
	i1 := ID(b, accountA, west, "i-1").String() + "|id"
	edges(mid("m1")+"|urn", mid("m2")+"|id", i1)
	h.reads(kinds(g), read{scope: scopeOf(g, project, "europe-west1"), rows: []Row{machineRow("m2")}})
	edges(gone, mid("m2")+"|id", i1)
	h.reads(kinds(n), nodes)
	edges(gone, mid("m2")+"|id", i1)
	h.reads(kinds(g), read{scope: scopeOf(g, project, "europe-west1"), rows: []Row{machineRow("m1"), machineRow("m2")}})
	edges(mid("m1")+"|urn", mid("m2")+"|id", i1)
}
