package normalize

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// remarshal writes JSON as encoding/json does, keys sorted and numbers as they
// came, without its escapes for HTML and JavaScript.
func remarshal(doc string) string {
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(b.String(), "\n"))
}

// addGolden adds the recorded answers to the seeds.
func addGolden(f *testing.F, pattern string) {
	names, err := filepath.Glob(filepath.Join("testdata/golden", pattern))
	if err != nil || len(names) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{smallJSON, `{"Things":[{"Id":"\ud83d\ude00\u0041"}]}`, `[1,-0.5e+3,{"a":{"b":[]}},null,true]`, `"\ud800"`, `{"a":1,"a":2}`, "\"\xff\"", string(instancesJSON(1))} {
		f.Add([]byte(s))
	}
	addGolden(f, "*.json")
	p := compile(f, small(JSON))
	f.Fuzz(func(t *testing.T, body []byte) {
		valid := json.Valid(body)
		deep := bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) >= maxDepth
		w := newWalker(p)
		w.begin(0, body)
		i := skipSpace(body, 0)
		end := w.jsonSkip(i)
		if ok := end >= 0 && skipSpace(body, end) == len(body); ok != valid && !(deep && valid) {
			t.Fatalf("skip: %t, encoding/json says %t", ok, valid)
		}
		got, ok := w.canonical(nil, body)
		if ok != valid && !(deep && valid) {
			t.Fatalf("canonical: %t, encoding/json says %t", ok, valid)
		}
		if ok && !bytes.Contains(body, []byte(`\u0000`)) {
			if want := remarshal(string(body)); string(got) != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		b := p.NewBuilder(memory.DefaultAllocator)
		b.Begin(origin())
		_, rows, err := b.Page(body, nil)
		if err == nil && !valid {
			t.Fatal("a page that is no JSON")
		}
		if err != nil && (rows != 0 || b.Len() != 0) {
			t.Fatal("rows of a page that failed")
		}
		pg, err2 := p.Split(body, nil)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("page: %v, split: %v", err, err2)
		}
		want := flush(b)
		if err == nil {
			for _, it := range pg.Items {
				if err := b.Append(it, nil); err != nil {
					t.Fatal(err)
				}
			}
			got := flush(b)
			if onlyRows(got) != onlyRows(want) {
				t.Fatalf("split: got %s, want %s", got, want)
			}
			if out := p.Redact(0, body); !json.Valid(out) {
				t.Fatalf("redacted: %s", out)
			}
		}
	})
}

// onlyRows leaves problems out: those outside of items are the page's alone.
func onlyRows(s string) string {
	s, _, _ = strings.Cut(s, "problem ")
	if s == "nothing\n" {
		return ""
	}
	return s
}

func FuzzXML(f *testing.F) {
	for _, s := range []string{smallXML, string(instancesXML(1)), `<R><a b="c"/><![CDATA[x]]>&amp;&#65;<!-- x --></R>`, "<R>a\r\nb</R>", "<a:R xmlns:a='x'></a:R>"} {
		f.Add([]byte(s))
	}
	addGolden(f, "*.xml")
	p := compile(f, small(XML))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := p.NewBuilder(memory.DefaultAllocator)
		b.Begin(origin())
		_, rows, err := b.Page(body, nil)
		if err != nil && (rows != 0 || b.Len() != 0) {
			t.Fatal("rows of a page that failed")
		}
		pg, err2 := p.Split(body, nil)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("page: %v, split: %v", err, err2)
		}
		want := flush(b)
		if err != nil {
			return
		}
		for _, it := range pg.Items {
			if err := b.Append(it, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := flush(b); onlyRows(got) != onlyRows(want) {
			t.Fatalf("split: got %s, want %s", got, want)
		}
		if again := p.Redact(0, body); !bytes.Equal(again, body) {
			t.Fatalf("redacted without anything to drop: %s", again)
		}
		// What encoding/xml takes has the same ids.
		var out struct {
			Things []struct {
				ID string `xml:"Id"`
			} `xml:"ListThingsResult>Things>member"`
		}
		if xml.Unmarshal(body, &out) != nil || bytes.Contains(body, []byte("xml:")) {
			return
		}
		n := 0
		for _, it := range pg.Items {
			if _, ok := it.ID(origin()); ok {
				n++
			}
		}
		with := 0
		for _, th := range out.Things {
			if th.ID != "" {
				with++
			}
		}
		if n < with {
			t.Fatalf("%d items, encoding/xml has %d", n, with)
		}
	})
}
