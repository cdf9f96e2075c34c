package normalize

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// small is a spec with everything that a rollback has to undo.
func small(f Format) Spec {
	item := structure("Thing", member("Id", text()), member("Size", integer()), member("When", when(TimeISO)),
		member("Tags", list(structure("Tag", member("Key", text()), member("Value", text())))),
		member("Net", structure("Net", member("Zone", text()), member("Names", list(text())))), member("Groups", list(text())), member("Sizes", list(integer())))
	src := things(item)
	if f == XML {
		src = xmlThings(item)
	}
	s := spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"size", schema.Int64, at("Size"), 0, false},
		fieldOf{"at", schema.Timestamp, at("When"), 0, false}, fieldOf{"net", schema.JSON, at("Net"), 0, false},
		fieldOf{"groups", schema.TextList, at("Groups"), 0, true}, fieldOf{"sizes", schema.Int64List, at("Sizes"), 0, true},
		fieldOf{"group_list", schema.JSON, at("Groups"), 0, true})
	s.Tags = &TagExpr{Expr: at("Tags"), Key: "Key", Value: "Value"}
	s.Name = Template{{Expr: &Expr{Tag: "Name"}}}
	s.edge("aws_zone", at("Net.Zone"))
	s.edge("aws_group", at("Groups"))
	return s
}

const smallJSON = `{"Things":[{"Id":"a","Size":1,"When":"soon","Tags":[{"Key":"Name","Value":"\u0041"},{"Key":"Name"}],"Net":{"Zone":"z","Names":["q"]},"Groups":["g","h"],"Sizes":[2,1]},{"Size":2},{"Id":"b","New":1}],"NextToken":"t\n"}`

const smallXML = `<?xml version="1.0"?><ListThingsResponse><ListThingsResult><Things><member><Id>a</Id><Size>1</Size><When>soon</When><Tags><member><Key>Name</Key><Value>&#65;</Value></member><member><Key>Name</Key></member></Tags><Net><Zone>z</Zone><Names><member>q</member></Names></Net><Groups><member>g</member><member>h</member></Groups><Sizes><member>2</member><member>1</member></Sizes></member><member><Size>2</Size></member><member><Id>b</Id><New><!-- x --></New></member></Things><NextToken>t&#10;</NextToken></ListThingsResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></ListThingsResponse>`

func TestPageIsAllOrNothing(t *testing.T) {
	for _, c := range []struct {
		f    Format
		body string
	}{{JSON, smallJSON}, {XML, smallXML}} {
		p := compile(t, small(c.f))
		b := builder(t, p)
		if tokens, rows, err := b.Page([]byte(c.body), nil); err != nil || rows != 2 || len(tokens) != 1 || tokens[0] != "t\n" {
			t.Fatalf("%q %d %v", tokens, rows, err)
		}
		want := flush(b)
		drift := p.Drift()
		if _, _, err := b.Page([]byte(c.body), nil); err != nil {
			t.Fatal(err)
		}
		size := b.Bytes()
		for n := range len(c.body) {
			_, rows, err := b.Page([]byte(c.body[:n]), nil)
			var pe *PageError
			if !errors.As(err, &pe) || rows != 0 {
				t.Fatalf("%q: %d rows, %v", c.body[:n], rows, err)
			}
			if b.Len() != 2 || b.Bytes() != size {
				t.Fatalf("%q: %d rows and %d bytes stay", c.body[:n], b.Len(), b.Bytes())
			}
			if _, err := p.Split([]byte(c.body[:n]), nil); !errors.As(err, &pe) {
				t.Fatalf("split %q: %v", c.body[:n], err)
			}
			if p.Redact(0, []byte(c.body[:n])) != nil {
				t.Fatalf("redact %q", c.body[:n])
			}
		}
		for _, tail := range []string{"x", "{}", "<a/>", "]", ",", "\x00"} {
			if _, _, err := b.Page([]byte(c.body+tail), nil); err == nil {
				t.Errorf("trailing %q is accepted", tail)
			}
		}
		if got := flush(b); got != want {
			t.Errorf("after the failed pages:\n%s\nwant\n%s", got, want)
		}
		for k, n := range drift {
			if p.Drift()[k] != 2*n {
				t.Errorf("drift %s: %d after failed pages, want %d", k, p.Drift()[k], 2*n)
			}
		}
		if flush(b) != "nothing\n" {
			t.Error("the flushed builder is not empty")
		}
	}
}

func TestBodiesThatAreNotTheOutput(t *testing.T) {
	html := "<!DOCTYPE html><html><body>Bad gateway</body></html>"
	deep := strings.Repeat("[", 100_000)
	for _, c := range []struct {
		f    Format
		body string
	}{
		{JSON, ""},
		{JSON, " \n"},
		{JSON, "null"},
		{JSON, "[]"},
		{JSON, `"x"`},
		{JSON, "5"},
		{JSON, html},
		{JSON, smallXML},
		{JSON, `{"message":"Forbidden"}`},
		{JSON, `{"__type":"com.amazon#AccessDeniedException","message":"no"}`},
		{JSON, `{"__type":"AccessDeniedException","NextToken":null}`},
		{JSON, `{"Error":{"Code":"x"}}`},
		{JSON, `{"New":` + deep + `}`},
		{JSON, `{"Things":` + deep + `}`},
		{JSON, `{"Things":[],}`},
		{JSON, `{"Things":[,]}`},
		{JSON, `{'Things':[]}`},
		{JSON, `{"Things":[{"Id":"` + "\x01" + `"}]}`},
		{JSON, `{"Things":[{"Id":"\x"}]}`},
		{JSON, `{"Things":[{"Size":01}]}`},
		{JSON, `{"Things":[{"Size":.5}]}`},
		{XML, ""},
		{XML, "  "},
		{XML, html},
		{XML, "<html/>"},
		{XML, smallJSON},
		{XML, "<?xml version='1.0'?>"},
		{XML, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"},
		{XML, "<Error><Code>AccessDenied</Code></Error>"},
		{XML, "<Response><Errors><Error/></Errors></Response>"},
		{XML, "<ListThingsResponse/>"},
		{XML, "<ListThingsResponse><Things/></ListThingsResponse>"},
		{XML, "<ListThingsResponse><ListOtherResult/></ListThingsResponse>"},
		{XML, "<ListThingsResult><Things/></ListThingsResult>"},
		{XML, `<?xml version="1.0" encoding="UTF-16"?><ListThingsResponse><ListThingsResult/></ListThingsResponse>`},
		{XML, "<ListThingsResponse><ListThingsResult><New>" + strings.Repeat("<a>", 100_000) + "</New></ListThingsResult></ListThingsResponse>"},
	} {
		p := compile(t, small(c.f))
		b := builder(t, p)
		_, _, err := b.Page([]byte(c.body), nil)
		var pe *PageError
		if !errors.As(err, &pe) {
			t.Errorf("%.60q: %v", c.body, err)
			continue
		}
		if pe.Call != "ListThings" || pe.Want == "" || !strings.HasPrefix(c.body, pe.Prefix) || len(pe.Prefix) > 200 || len(c.body) > 0 && pe.Prefix == "" {
			t.Errorf("%.60q: %+v", c.body, pe)
		}
		if b.Len() != 0 || b.Flush() != nil {
			t.Errorf("%.60q: something stays", c.body)
		}
	}
}

func TestEmptyPages(t *testing.T) {
	for _, c := range []struct {
		f    Format
		body string
	}{
		{JSON, "{}"},
		{JSON, " { } "},
		{JSON, `{"Things":[]}`},
		{JSON, `{"Things":null}`},
		{JSON, `{"NextToken":null}`},
		{JSON, `{"New":1,"Things":[]}`},
		{XML, "<ListThingsResponse><ListThingsResult/></ListThingsResponse>"},
		{XML, "<a:ListThingsResponse xmlns:a='x'><a:ListThingsResult></a:ListThingsResult></a:ListThingsResponse>\n"},
		{XML, "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><!-- x --><ListThingsResponse><ResponseMetadata/><ListThingsResult><Things/></ListThingsResult></ListThingsResponse><!-- y -->"},
	} {
		b := builder(t, compile(t, small(c.f)))
		if tokens, rows, err := b.Page([]byte(c.body), nil); err != nil || rows != 0 || len(tokens) != 1 || tokens[0] != "" {
			t.Errorf("%s: %q %d %v", c.body, tokens, rows, err)
		}
		if b.Flush() != nil {
			t.Errorf("%s: not nothing", c.body)
		}
	}
}

func TestUnwrappedOutputs(t *testing.T) {
	location := Source{Call: "GetBucketLocation", Format: XML, Shape: structure("Output", member("LocationConstraint", text()))}
	s := spec(location, fieldOf{"location", schema.Text, at("LocationConstraint"), 0, false})
	if got := valueOf(page(t, s, `<?xml version="1.0"?><LocationConstraint xmlns="x">eu-west-1</LocationConstraint>`), "location"); got != `"eu-west-1"` {
		t.Errorf("location: %s", got)
	}
	p := compile(t, s)
	pg, err := p.Split([]byte(`<?xml version="1.0"?><LocationConstraint>eu-west-1</LocationConstraint>`), nil)
	if err != nil || len(pg.Items) != 1 {
		t.Fatal(err)
	}
	lb := builder(t, p)
	if err := lb.Append(pg.Items[0], nil); err != nil {
		t.Fatal(err)
	}
	if got := valueOf(flush(lb), "location"); got != `"eu-west-1"` {
		t.Errorf("location of an item: %s", got)
	}
	if got := page(t, s, `<Error><Code>x</Code></Error>`); !strings.HasPrefix(got, "error") {
		t.Errorf("error document: %s", got)
	}

	payload := member("Policy", text())
	payload.Payload = true
	etag := member("ETag", text())
	etag.Header = true
	s = spec(Source{Call: "GetPolicy", Format: JSON, Shape: structure("Output", payload, etag)},
		fieldOf{"id", schema.Text, Expr{Header: "x-id"}, 0, false},
		fieldOf{"policy", schema.JSON, at("Policy", Transform{Op: ParseJSON}), 0, false}, fieldOf{"raw", schema.Text, at("Policy"), 0, false},
		fieldOf{"etag", schema.Text, at("ETag"), 0, false})
	b := builder(t, compile(t, s))
	if _, _, err := b.Page([]byte(`{"b":1, "a":2}`), http.Header{"Etag": {`"x"`}, "X-Id": {"i"}}); err != nil {
		t.Fatal(err)
	}
	out := flush(b)
	pg, err = b.plan.Split([]byte(`{"b":1, "a":2}`), http.Header{"Etag": {`"x"`}, "X-Id": {"i"}})
	if err != nil || len(pg.Items) != 1 {
		t.Fatal(err)
	}
	if err := b.Append(pg.Items[0], nil); err != nil {
		t.Fatal(err)
	}
	if again := flush(b); again != out {
		t.Errorf("split: got %s, want %s", again, out)
	}
	for _, c := range [][2]string{{"policy", quote(`{"a":2,"b":1}`)}, {"raw", quote(`{"b":1, "a":2}`)}, {"etag", quote(`"x"`)}, {"id", `"i"`}} {
		if got := valueOf(out, c[0]); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	if _, _, err := b.Page(nil, http.Header{"X-Id": {"i"}}); err != nil {
		t.Fatal(err)
	}
	if got := valueOf(flush(b), "raw"); got != "" {
		t.Errorf("an empty body: got %s, want NULL", got)
	}

	inner := member("Listing", structure("ListingType", member("Items", list(text()))))
	inner.Payload = true
	for _, wrap := range [][]string{{"Listing"}, nil} {
		src := Source{Call: "List", Format: XML, Wrap: wrap, Shape: structure("Output", inner), Items: path("Listing.Items[]")}
		out = page(t, spec(src, fieldOf{"v", schema.Text, at("."), 0, false}), `<Listing><Items><member>a</member><member>b</member></Items></Listing>`)
		if strings.Count(out, "row ") != 2 {
			t.Errorf("payload in %v: %s", wrap, out)
		}
	}
	src := Source{Call: "List", Format: JSON, Shape: structure("Output", inner), Items: path("Listing.Items[]")}
	if out = page(t, spec(src, fieldOf{"v", schema.Text, at("."), 0, false}), `{"Items":["a"]}`); strings.Count(out, "row ") != 1 {
		t.Errorf("payload: %s", out)
	}
	if out = page(t, spec(src, fieldOf{"v", schema.Text, at("."), 0, false}), `{"message":"x"}`); !strings.HasPrefix(out, "error") {
		t.Errorf("payload: %s", out)
	}
}

func TestRowsWithoutID(t *testing.T) {
	b := builder(t, compile(t, small(JSON)))
	if _, rows, err := b.Page([]byte(`{"Things":[{"Size":1,"Groups":["g"]},{"Id":"","Tags":[{"Key":"a"}]},{"Id":null}]}`), nil); err != nil || rows != 0 {
		t.Fatal(rows, err)
	}
	batch := b.Flush()
	defer batch.Release()
	if batch.Rows.NumRows() != 0 || batch.Edges != nil || len(batch.Problems) != 1 {
		t.Fatalf("%s", render(batch))
	}
	if p := batch.Problems[0]; p.Code != "id" || p.Count != 3 || p.Call != "ListThings" || p.Column != "id" || p.Account != "123456789012" || p.Region != "eu-west-1" || p.Kind != "aws_test_thing" {
		t.Errorf("%+v", p)
	}
}

func TestProblemsAreCounted(t *testing.T) {
	long := strings.Repeat("é", 300)
	b := builder(t, compile(t, small(JSON)))
	for range 3 {
		if _, _, err := b.Page([]byte(`{"Things":[{"Id":"a","When":"`+long+`"},{"Id":"b","When":"never","Size":"x"}]}`), nil); err != nil {
			t.Fatal(err)
		}
	}
	batch := b.Flush()
	defer batch.Release()
	if len(batch.Problems) != 2 || batch.Problems[0].Count != 6 || batch.Problems[0].Code != "time" || batch.Problems[1].Count != 3 || batch.Problems[1].Code != "number" {
		t.Fatalf("%+v", batch.Problems)
	}
	if s := batch.Problems[0].Sample; len(s) != 200 || s != long[:200] {
		t.Errorf("a sample of %d bytes", len(s))
	}
}

func TestUpFromTheItem(t *testing.T) {
	item := structure("Thing", member("Id", text()))
	outer := structure("Group", member("Owner", text()), member("Things", list(item)), member("Zone", structure("Zone", member("Name", text()))))
	src := Source{Call: "ListThings", Format: JSON, Items: path("Groups[].Things[]"), Shape: structure("Output", member("Groups", list(outer)), member("Site", text()))}
	s := spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"zone", schema.Text, at("^.Zone.Name"), 0, false}, fieldOf{"site", schema.Text, at("^.^.Site"), 0, false})
	s.Account = Template{{Expr: &Expr{Up: 1, Path: path("Owner")}}}
	want := []string{`"b"`, `"z1"`, `"s"`}
	for _, body := range []string{
		`{"Site":"s","Groups":[{"Owner":"a"},{"Owner":"b","Zone":{"Name":"z1"},"Things":[{"Id":"x"}]}]}`,
		`{"Groups":[{"Things":[],"Owner":"q","Zone":{"Name":"z3"}},{"Things":[{"Id":"x"}],"Zone":{"Name":"z1"},"Owner":"b"}],"New":[1,{"a":2}],"Site":"s"}`,
	} {
		for _, split := range []bool{false, true} {
			p := compile(t, s)
			b := builder(t, p)
			if split {
				pg, err := p.Split([]byte(body), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, it := range pg.Items {
					if err := b.Append(it, nil); err != nil {
						t.Fatal(err)
					}
				}
			} else if _, _, err := b.Page([]byte(body), nil); err != nil {
				t.Fatal(err)
			}
			out := flush(b)
			for i, col := range []string{"account", "zone", "site"} {
				if got := valueOf(out, col); got != want[i] {
					t.Errorf("%s split %t: %s: got %s, want %s", body, split, col, got, want[i])
				}
			}
		}
	}
	src.Format, src.Wrap = XML, []string{"R"}
	s.Sources[0] = src
	out := page(t, s, `<R><Groups><member><Owner>q</Owner><Things/></member><member><Things><member><Id>x</Id></member></Things><New>y</New><Zone><Name>z1</Name></Zone><Owner>b</Owner></member></Groups><Site>s</Site></R>`)
	for i, col := range []string{"account", "zone", "site"} {
		if got := valueOf(out, col); got != want[i] {
			t.Errorf("xml: %s: got %s, want %s", col, got, want[i])
		}
	}
	// A value that is absent falls back to the scope, and does not leak from
	// the structure before.
	s.Sources[0].Format, s.Sources[0].Wrap = JSON, nil
	out = page(t, s, `{"Groups":[{"Owner":"a","Zone":{"Name":"z"},"Things":[]},{"Things":[{"Id":"x"}]}]}`)
	if valueOf(out, "account") != `"123456789012"` || valueOf(out, "zone") != "" || valueOf(out, "site") != "" {
		t.Errorf("absent: %s", out)
	}
}

func TestDrift(t *testing.T) {
	p := compile(t, small(JSON))
	b := builder(t, p)
	if _, _, err := b.Page([]byte(`{"Things":[{"Id":"a","New":1,"Net":{"Other":{"x":1}}},{"Id":"b","New":[]}],"More":true,"__meta":1}`), nil); err != nil {
		t.Fatal(err)
	}
	flush(b)
	d := p.Drift()
	if len(d) != 3 || d["ListThings:Things[].New"] != 2 || d["ListThings:Things[].Net.Other"] != 1 || d["ListThings:More"] != 1 {
		t.Errorf("%v", d)
	}
}

func TestPlanIsShared(t *testing.T) {
	p := compile(t, small(JSON))
	want := page(t, small(JSON), smallJSON)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b := p.NewBuilder(memory.DefaultAllocator)
			b.Begin(origin())
			for range 50 {
				if _, _, err := b.Page([]byte(smallJSON), nil); err != nil {
					t.Error(err)
				}
				if got := flush(b); got != want {
					t.Errorf("got %s", got)
				}
				pg, err := p.Split([]byte(smallJSON), nil)
				if err != nil || len(pg.Items) != 3 {
					t.Error(err)
					return
				}
				for _, it := range pg.Items {
					if err := b.Append(it, nil); err != nil {
						t.Error(err)
					}
				}
				if got := flush(b); got != want {
					t.Errorf("split: got %s", got)
				}
				p.Redact(0, []byte(smallJSON))
				p.Drift()
			}
		})
	}
	wg.Wait()
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	body := instancesXML(100)
	p := compile(t, instances(XML))
	b := p.NewBuilder(memory.DefaultAllocator)
	b.Begin(origin())
	run := func() {
		for range 10 {
			if _, _, err := b.Page(body, nil); err != nil {
				t.Fatal(err)
			}
		}
		b.rollback(builderMark{})
	}
	run()
	if n := testing.AllocsPerRun(5, run); n > 20 {
		t.Errorf("%v allocations for 1000 rows", n)
	}
}
