package normalize

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// from is an expression over another source.
func from(source int, s string, t ...Transform) Expr {
	e := at(s, t...)
	e.Source = source
	return e
}

// buckets is a list with three details: tags, a policy as raw text and a
// batch that says more.
func buckets() Spec {
	policy := member("Policy", text())
	policy.Payload = true
	list1 := Source{
		Call: "ListBuckets", Format: XML, Wrap: []string{"ListAllMyBucketsResult"}, Items: path("Buckets[]"), Tokens: []Path{path("ContinuationToken")},
		Shape: structure("Output", member("Buckets", list(structure("Bucket", member("Name", text()), member("CreationDate", when(TimeISO)), member("BucketRegion", text())))),
			member("ContinuationToken", text())),
	}
	tagging := Source{
		Call: "GetBucketTagging", Format: XML, Wrap: []string{"Tagging"}, Tokens: []Path{path("Next")},
		Shape: structure("Output", member("TagSet", list(structure("Tag", member("Key", text()), member("Value", text())))), member("Next", text())),
	}
	getPolicy := Source{Call: "GetBucketPolicy", Format: JSON, Shape: structure("Output", policy)}
	batch := Source{
		Call: "DescribeBuckets", Format: JSON, Items: path("Buckets[]"), Match: path("Name"), Failures: path("Failures[]"), FailureKey: path("Arn"), FailureCode: path("Reason"),
		Shape: structure("Output", member("Buckets", list(structure("More", member("Name", text()), member("Size", integer()), member("Rules", list(structure("Rule", member("Port", integer())))), member("Owner", text())))),
			member("Failures", list(structure("Failure", member("Arn", text()), member("Reason", text()))))),
	}
	s := spec(list1, fieldOf{"bucket_name", schema.Text, at("Name"), 0, false}, fieldOf{"size", schema.Int64, from(3, "Size"), 0, false},
		fieldOf{"policy", schema.JSON, from(2, "Policy", Transform{Op: ParseJSON}), 0, false}, fieldOf{"rules", schema.JSON, from(3, "Rules"), 0, true},
		fieldOf{"ports", schema.Int64List, from(3, "Rules[].Port"), 0, false}, fieldOf{"etag", schema.Text, Expr{Source: 2, Header: "ETag"}, 0, false})
	s.Sources = append(s.Sources, tagging, getPolicy, batch)
	s.Tags = &TagExpr{Expr: from(1, "TagSet"), Key: "Key", Value: "Value"}
	s.Name = Template{{Expr: &Expr{Tag: "Name"}}}
	s.Region = Template{{Expr: &Expr{Path: path("BucketRegion")}}}
	s.CreatedAt = &TimeExpr{Expr: at("CreationDate")}
	s.Captures = []Expr{at("Name"), at("BucketRegion"), at("Name", Transform{Op: Split, Arg: "-"})}
	s.edge("aws_owner", from(3, "Owner"))
	return s
}

const bucketsXML = `<?xml version="1.0"?><ListAllMyBucketsResult><Buckets><Bucket><Name>a-b</Name><CreationDate>2024-03-12T09:30:15.000Z</CreationDate><BucketRegion>eu-west-1</BucketRegion></Bucket><Bucket><Name>c&amp;d</Name></Bucket><Bucket/></Buckets><ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>`

func TestSplitAndAppend(t *testing.T) {
	p := compile(t, buckets())
	pg, err := p.Split([]byte(bucketsXML), nil)
	if err != nil || len(pg.Items) != 3 || len(pg.Tokens) != 1 || pg.Tokens[0] != "t" {
		t.Fatalf("%+v %v", pg, err)
	}
	if v, ok := pg.Items[0].Capture(1); !ok || v != "eu-west-1" {
		t.Errorf("capture: %q %t", v, ok)
	}
	if v, ok := pg.Items[1].Capture(1); ok {
		t.Errorf("capture of what is absent: %q", v)
	}
	if v, _ := pg.Items[1].Capture(0); v != "c&d" {
		t.Errorf("capture: %q", v)
	}
	if v := pg.Items[0].CaptureAll(2); !slices.Equal(v, []string{"a", "b"}) {
		t.Errorf("captures: %q", v)
	}
	if _, ok := pg.Items[2].ID(origin()); ok {
		t.Error("an id of an item without one")
	}
	details, err := p.SplitDetail(3, []byte(`{"Buckets":[{"Size":7,"Name":"a-b","Rules":[{"Port":2},{"Port":1}],"Owner":"o"}],"Failures":[{"Reason":"MISSING","Arn":"c&d"},{}]}`))
	if err != nil || len(details.Items) != 1 || details.Items[0].Match != "a-b" || !slices.Equal(details.Failures, []Failure{{"c&d", "MISSING"}, {}}) {
		t.Fatalf("%+v %v", details, err)
	}
	tags := func(s string) []byte { return []byte("<Tagging><TagSet>" + s + "</TagSet></Tagging>") }
	b := builder(t, p)
	if _, _, err := b.Page([]byte(bucketsXML), nil); err == nil {
		t.Error("a page of a kind with details is taken")
	}
	for i, docs := range [][]Doc{
		{
			{State: Read, Bodies: [][]byte{tags("<Tag><Key>Name</Key><Value>n</Value></Tag>"), tags("<Tag><Key>A</Key><Value>1</Value></Tag>")}},
			{State: Read, Bodies: [][]byte{[]byte(` {"Version":"2012","Statement":[]}`)}, Header: http.Header{"Etag": {"e"}}},
			{State: Read, Item: &details.Items[0]},
		},
		{{State: Absent}, {State: Unread}, {State: Unread}},
		nil,
	} {
		if err := b.Append(pg.Items[i], docs); err != nil {
			t.Fatal(err)
		}
	}
	if b.Len() != 2 {
		t.Errorf("%d rows", b.Len())
	}
	// Tags unread: unknown, not none.
	if err := b.Append(pg.Items[1], []Doc{{State: Unread}}); err != nil {
		t.Fatal(err)
	}
	// A detail that is not its output spoils nothing else.
	for _, docs := range [][]Doc{{{State: Read, Bodies: [][]byte{[]byte("<Error/>")}}}, {{}, {}, {State: Read, Bodies: [][]byte{[]byte(`{"message":"x"}`)}}}} {
		var pe *PageError
		if err := b.Append(pg.Items[0], docs); !errors.As(err, &pe) || b.Len() != 3 {
			t.Errorf("%v, %d rows", err, b.Len())
		}
	}
	batch := b.Flush()
	defer batch.Release()
	ids := batch.Rows.Column(schema.ColID)
	for i := range 2 {
		if id, ok := pg.Items[i].ID(origin()); !ok || cell(ids, i) != strings.ReplaceAll(uuid.UUID(id).String(), "-", "") {
			t.Errorf("item %d: another id than its row's", i)
		}
	}
	rows := strings.Split(render(batch), "row ")
	for _, c := range []struct {
		row          int
		column, want string
	}{
		{1, "tags", `{"A": "1", "Name": "n"}`},
		{1, "name", `"n"`},
		{1, "region", `"eu-west-1"`},
		{1, "created_at", "2024-03-12T09:30:15Z"},
		{1, "_unread", ""},
		{1, "policy", quote(`{"Statement":[],"Version":"2012"}`)},
		{1, "rules", quote(`[{"Port":1},{"Port":2}]`)},
		{1, "ports", "[2, 1]"},
		{1, "size", "7"},
		{1, "etag", `"e"`},
		{2, "tags", "{}"},
		{2, "name", ""},
		{2, "_unread", `["policy", "etag", "size", "rules", "ports"]`},
		{2, "policy", ""},
		{2, "size", ""},
		{2, "etag", ""},
		{3, "tags", ""},
		{3, "_unread", `["name", "tags"]`},
	} {
		if got := valueOf(rows[c.row], c.column); got != c.want {
			t.Errorf("row %d %s: got %s, want %s", c.row, c.column, got, c.want)
		}
	}
	if batch.Edges == nil || batch.Edges.NumRows() != 1 {
		t.Error("not one edge")
	}
	if len(batch.Problems) != 1 || batch.Problems[0].Code != "id" {
		t.Errorf("%+v", batch.Problems)
	}
}

func TestManyEdges(t *testing.T) {
	s := spec(things(structure("Thing", member("Id", text()), member("Refs", list(text())))), fieldOf{"thing_id", schema.Text, at("Id"), 0, false})
	s.edge("aws_ref", at("Refs"))
	var refs []string
	for i := range 1000 {
		refs = append(refs, fmt.Sprintf("%q", fmt.Sprint(i%200)))
	}
	body := `{"Things":[{"Id":"x","Refs":[` + strings.Join(refs, ",") + `]},{"Id":"y","Refs":[` + strings.Join(refs, ",") + `]}]}`
	if n := strings.Count(page(t, s, body), "edge "); n != 400 {
		t.Errorf("%d edges", n)
	}
}

// Lists of a paged detail are joined, sets sorted over all of its pages.
func TestPagedDetail(t *testing.T) {
	out := structure("Output", member("Names", list(text())), member("Rules", list(structure("Rule", member("P", integer())))), member("Status", text()), member("Next", text()),
		member("Sizes", list(integer())))
	s := spec(things(structure("Thing", member("Id", text()))), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"names", schema.TextList, from(1, "Names"), 0, true},
		fieldOf{"rules", schema.JSON, from(1, "Rules"), 0, false}, fieldOf{"status", schema.Text, from(1, "Status"), 0, false}, fieldOf{"sizes", schema.JSON, from(1, "Sizes"), 0, true})
	s.Sources = append(s.Sources, Source{Call: "GetThing", Format: JSON, Shape: out, Tokens: []Path{path("Next")}})
	s.edge("aws_name", from(1, "Names"))
	p := compile(t, s)
	bodies := [][]byte{[]byte(`{"Names":["c","a"],"Rules":[{"P":2}],"Status":"x","Sizes":[3],"Next":"2"}`), []byte(`{"Names":["b","a"],"Rules":[{"P":1}],"Sizes":[1,2]}`), []byte(`{"Rules":[]}`)}
	pg, err := p.SplitDetail(1, bodies[0])
	if err != nil || len(pg.Tokens) != 1 || pg.Tokens[0] != "2" {
		t.Fatalf("%+v %v", pg, err)
	}
	items, err := p.Split([]byte(`{"Things":[{"Id":"x"}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := builder(t, p)
	if err := b.Append(items.Items[0], []Doc{{State: Read, Bodies: bodies}}); err != nil {
		t.Fatal(err)
	}
	text := flush(b)
	for _, c := range [][2]string{{"names", `["a", "a", "b", "c"]`}, {"rules", quote(`[{"P":2},{"P":1}]`)}, {"status", `"x"`}, {"sizes", quote("[1,2,3]")}} {
		if got := valueOf(text, c[0]); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	if strings.Count(text, "edge ") != 3 {
		t.Errorf("edges: %s", text)
	}
}

func TestTransforms(t *testing.T) {
	const arn = "arn:aws:iam::123456789012:role/service/worker"
	for _, c := range []struct {
		in   string
		t    []Transform
		want string
	}{
		{"a/b/c", []Transform{{AfterLast, "/"}}, `["c"]`},
		{"abc", []Transform{{AfterLast, "/"}}, `["abc"]`},
		{"a:b:c", []Transform{{BeforeFirst, ":"}}, `["a"]`},
		{"/hostedzone/Z1", []Transform{{StripPrefix, "/hostedzone/"}}, `["Z1"]`},
		{arn, []Transform{{ARNPart, "account"}}, `["123456789012"]`},
		{arn, []Transform{{ARNPart, "region"}}, ``},
		{arn, []Transform{{ARNPart, "resource"}}, `["role/service/worker"]`},
		{arn, []Transform{{ARNPart, "id"}}, `["service/worker"]`},
		{arn, []Transform{{ARNPart, "id"}, {AfterLast, "/"}}, `["worker"]`},
		{"arn:aws:logs:eu-west-1:1:log-group:x", []Transform{{ARNPart, "id"}}, `["x"]`},
		{"arn:aws:s3:::bucket", []Transform{{ARNPart, "id"}}, `["bucket"]`},
		{"arn:aws:s3", []Transform{{ARNPart, "service"}}, ``},
		{"not an arn", []Transform{{ARNPart, "account"}}, ``},
		{"a%20b%zz%C3%A9+", []Transform{{Op: URLDecode}}, `["a b%zzé+"]`},
		{"%FF", []Transform{{Op: URLDecode}}, `["` + replacement + `"]`},
		{"%7B%22a%22%3A%22x%22%7D", []Transform{{Op: URLDecode}, {ParseJSON, "a"}}, `["x"]`},
		{`{"a":{"c":1,"b":2}}`, []Transform{{ParseJSON, "a"}}, `["{\"b\":2,\"c\":1}"]`},
		{`{"a":null}`, []Transform{{ParseJSON, "a"}}, ``},
		{`{"a":1}`, []Transform{{ParseJSON, "b"}}, ``},
		{`not json`, []Transform{{ParseJSON, "b"}}, ``},
		{`not json`, []Transform{{Op: ParseJSON}}, `["not json"]`},
		{"a, b,,c", []Transform{{Split, ","}}, `["a", "b", "c"]`},
		{"a,b", []Transform{{Split, ","}, {Op: First}}, `["a"]`},
		{"ÀB", []Transform{{Op: Lower}}, `["àb"]`},
	} {
		item := structure("Thing", member("Id", text()), member("V", text()))
		s := spec(things(item), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"v", schema.TextList, at("V", c.t...), 0, false})
		if got := valueOf(page(t, s, `{"Things":[{"Id":"x","V":`+quote(c.in)+`}]}`), "v"); got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestTransformedColumns(t *testing.T) {
	item := structure("Thing", member("Id", text()), member("Doc", text()), member("N", text()), member("At", text()), member("List", list(text())))
	s := spec(things(item), fieldOf{"thing_id", schema.Text, at("Id"), 0, false},
		fieldOf{"doc", schema.JSON, at("Doc", Transform{Op: URLDecode}, Transform{Op: ParseJSON}), 0, false},
		fieldOf{"n", schema.Int64, at("N", Transform{AfterLast, "="}), 0, false}, fieldOf{"b", schema.Bool, at("N", Transform{BeforeFirst, "="}), 0, false},
		fieldOf{"at", schema.Timestamp, at("At", Transform{Op: First}), EpochSeconds, false}, fieldOf{"plain", schema.JSON, at("N", Transform{Op: ParseJSON}), 0, false},
		fieldOf{"docs", schema.JSON, at("List", Transform{Op: ParseJSON}), 0, true}, fieldOf{"first", schema.JSON, at("List", Transform{Op: First}), 0, false},
		fieldOf{"who", schema.Text, Expr{Var: "account"}, 0, false})
	out := page(t, s, `{"Things":[{"Id":"x","Doc":"%7B%22b%22:1,%22a%22:2%7D","N":"true=42","At":"1710235815","List":["{\"z\":1}","x"]}]}`)
	for _, c := range [][2]string{
		{"doc", quote(`{"a":2,"b":1}`)},
		{"n", "42"},
		{"b", "true"},
		{"at", "2024-03-12T09:30:15Z"},
		{"plain", quote(`"true=42"`)},
		{"docs", quote(`["x",{"z":1}]`)},
		{"first", quote(`"{\"z\":1}"`)},
		{"who", `"123456789012"`},
	} {
		if got := valueOf(out, c[0]); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

func TestCompositeIDs(t *testing.T) {
	item := structure("Thing", member("Name", text()), member("Type", text()), member("Set", text()), member("Owner", text()))
	s := spec(things(item), fieldOf{"thing_name", schema.Text, at("Name"), 0, false})
	set := at("Set")
	set.Optional = true
	s.ID = []Expr{{Parent: 1, Transforms: []Transform{{StripPrefix, "/zone/"}}}, at("Name"), at("Type"), set}
	s.Account = Template{{Expr: &Expr{Path: path("Owner")}}}
	s.URN = Template{{Var: "partition"}, {Text: ":"}, {Expr: &Expr{Parent: 2}}}
	p := compile(t, s)
	b := builder(t, p)
	o := origin()
	o.Parent = []string{"/zone/Z"}
	b.Begin(o)
	body := []byte(`{"Things":[{"Name":"a","Type":"A"},{"Name":"a","Type":"A","Set":"s","Owner":"999999999999"},{"Name":"b"}]}`)
	pg, err := p.Split(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Page(body, nil); err != nil {
		t.Fatal(err)
	}
	batch := b.Flush()
	defer batch.Release()
	for i, want := range []string{`"Z/a/A"`, `"Z/a/A/s"`} {
		if got := cell(batch.Rows.Column(schema.ColVendorID), i); got != want {
			t.Errorf("id: got %s, want %s", got, want)
		}
		id, ok := pg.Items[i].ID(o)
		if !ok || cell(batch.Rows.Column(schema.ColID), i) != strings.ReplaceAll(uuid.UUID(id).String(), "-", "") {
			t.Errorf("item %d: another id than its row's", i)
		}
	}
	if batch.Rows.NumRows() != 2 || batch.Rows.Column(schema.ColURN).IsValid(0) {
		t.Errorf("%s", render(batch))
	}
	if _, ok := pg.Items[2].ID(o); ok {
		t.Error("an id without a part that must be there")
	}
}

func TestRedact(t *testing.T) {
	inner := structure("Inner", member("User", text()), drop(member("Password", text())))
	inner.Members = append(inner.Members, member("Next", inner))
	env := structure("Environment", drop(member("Variables", dict(text()))), member("Error", text()))
	item := structure("Thing", member("Id", text()), member("Env", env), member("Inner", inner), member("List", list(inner)), member("Map", dict(inner)), flat(member("Flat", list(inner))))
	for _, c := range []struct{ name, in, want string }{
		{"a member", `{"Things":[{"Id":"a","Env":{"Variables":{"K":"secret"},"Error":"e"}}]}`, `{"Things":[{"Id":"a","Env":{"Error":"e"}}]}`},
		{"the only one", `{"Things":[{"Env":{"Variables":{"K":"secret"}},"Id":"a"}]}`, `{"Things":[{"Env":{},"Id":"a"}]}`},
		{"the last one", `{"Things":[{"Env":{"Error":"e" , "Variables": {"K":"secret"} } } ]}`, `{"Things":[{"Env":{"Error":"e"}}]}`},
		{
			"nested", `{"Things":[{"Inner":{"Password":"secret","Next":{"User":"u","Password":"secret","Next":{"Password":"secret"}}},"List":[{"Password":"secret"},{"User":"v"}],"Map":{"k":{"Password":"secret","User":"w"}}}]}`,
			`{"Things":[{"Inner":{"Next":{"User":"u","Next":{}}},"List":[{},{"User":"v"}],"Map":{"k":{"User":"w"}}}]}`,
		},
		{"escaped names", `{"Things":[{"Inner":{"\u0050assword":"secret"}}]}`, `{"Things":[{"Inner":{}}]}`},
		{"nothing", ` {"Things": [] } `, `{"Things": [] } `},
	} {
		p := compile(t, spec(things(item), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}))
		if got := string(p.Redact(0, []byte(c.in))); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	p := compile(t, spec(xmlThings(item), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}))
	wrap := func(s string) string {
		return `<?xml version="1.0"?><ListThingsResponse><ListThingsResult><Things><member>` + s + `</member></Things></ListThingsResult><ResponseMetadata/></ListThingsResponse>`
	}
	for _, c := range []struct{ name, in, want string }{
		{"a member", `<Id>a</Id><Env><Variables><entry/></Variables><Error>e</Error></Env>`, `<Id>a</Id><Env><Error>e</Error></Env>`},
		{"another case", `<Env><x:variables a="secret"/></Env>`, `<Env></Env>`},
		{"flat", `<Flat><User>u</User><Password>secret</Password></Flat><Flat><Password>secret</Password></Flat>`, `<Flat><User>u</User></Flat><Flat></Flat>`},
		{
			"nested", `<Inner><Next><Password>secret</Password></Next></Inner><List><member><Password><![CDATA[secret]]></Password></member></List><Map><entry><key>k</key><value><Password>secret</Password><User>u</User></value></entry></Map>`,
			`<Inner><Next></Next></Inner><List><member></member></List><Map><entry><key>k</key><value><User>u</User></value></entry></Map>`,
		},
	} {
		if got := string(p.Redact(0, []byte(wrap(c.in)))); got != wrap(c.want) {
			t.Errorf("xml %s: got %s, want %s", c.name, got, wrap(c.want))
		}
	}
	if p.Redact(0, []byte("<a>")) != nil {
		t.Error("a broken body is kept")
	}
}
