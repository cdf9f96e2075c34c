package sinktest

import "github.com/dewpoint-data/dewpoint/schema"

// Accounts and regions of the hand-made estates.
const (
	accountA = "111111111111"
	accountB = "222222222222"
	accountC = "333333333333"
	west     = "eu-west-1"
	east     = "us-east-1"
)

// newKind makes a kind with columns given as name and type.
func newKind(name string, columns ...schema.Column) *schema.Kind {
	return &schema.Kind{
		Name: name, Key: name, Cloud: "aws", Service: "test", KeyScope: schema.KeyRegion, Doc: "Things of " + name + ".",
		Definition: "1", Columns: columns,
	}
}

func column(name string, t schema.Type) schema.Column {
	return schema.Column{Name: name, Type: t, Doc: "The " + name + "."}
}

// box is a plain kind.
func box() *schema.Kind {
	return newKind("aws_test_box", column("size", schema.Int64), column("color", schema.Text))
}

// counter is a kind with a volatile column and one of a detail call.
func counter() *schema.Kind {
	hits := column("hits", schema.Int64)
	hits.Volatile = true
	policy := column("policy", schema.JSON)
	policy.Call = "GetPolicy"
	return newKind("aws_test_counter", column("size", schema.Int64), hits, policy)
}

// cluster is the parent of service.
func cluster() *schema.Kind { return newKind("aws_test_cluster", column("size", schema.Int64)) }

// service is listed for each cluster.
func service() *schema.Kind {
	k := newKind("aws_test_service", column("size", schema.Int64))
	k.Parent = "aws_test_cluster"
	return k
}

// host refers to boxes by id and by name, and to anything by urn.
func host() *schema.Kind {
	k := newKind("aws_test_host", column("size", schema.Int64), column("box", schema.Text))
	k.Edges = []schema.Edge{
		{To: "aws_test_box", Ref: "BoxId", Relation: "uses", Match: schema.MatchID, OnDelete: schema.Block},
		{To: "aws_test_box", Ref: "BoxName", Relation: "names", Match: schema.MatchName, OnDelete: schema.None},
		{To: "", Ref: "Target", Relation: "targets", Match: schema.MatchID, OnDelete: schema.Detach},
		{To: "aws_test_role", Ref: "Role", Relation: "runs_as", Match: schema.MatchID},
	}
	return k
}

// role is a kind whose ids are unique in an account.
func role() *schema.Kind {
	k := newKind("aws_test_role")
	k.KeyScope = schema.KeyAccount
	return k
}

// every has a column of each type.
func every() *schema.Kind {
	return newKind("aws_test_every",
		column("a_bool", schema.Bool), column("an_int", schema.Int64), column("a_float", schema.Float64), column("a_text", schema.Text),
		column("a_time", schema.Timestamp), column("a_json", schema.JSON), column("a_map", schema.TextMap), column("some_bools", schema.BoolList),
		column("some_ints", schema.Int64List), column("some_floats", schema.Float64List), column("some_texts", schema.TextList),
		column("some_times", schema.TimestampList))
}

func kinds(k ...*schema.Kind) []*schema.Kind { return k }
