package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// answer is an answer of an operation on the wire.
type answer struct {
	name   string // what was done to it
	header http.Header
	body   []byte
	broken bool // readers may refuse it
	// meant is a body that says properly what the other one does.
	meant []byte
}

// answerMaker makes answers of an operation, as generated and changed.
type answerMaker struct {
	svc    *api.Service
	op     *api.Operation
	asJSON bool
	out    []answer
	err    error
}

func (m *answerMaker) add(name string, op *api.Operation, v any) *answer {
	h, body, err := awsfake.Encode(m.svc, op, v.(map[string]any))
	if err != nil && m.err == nil {
		m.err = fmt.Errorf("%s.%s, %s: %w", m.svc.Name, m.op.Name, name, err)
	}
	m.out = append(m.out, answer{name: name, header: h, body: body, broken: len(body) == 0})
	return &m.out[len(m.out)-1]
}

func answers(svc *api.Service, op *api.Operation, seeds, changed uint64) ([]answer, error) {
	m := &answerMaker{svc: svc, op: op, asJSON: awsapi.Format(svc) == normalize.JSON}
	for seed := range seeds {
		v := awsfake.Generate(svc, op, seed)
		a := *m.add("as generated", op, v)
		if seed >= changed {
			continue
		}
		r := rand.New(rand.NewPCG(seed, 7))
		m.values(r, v)
		x := &extender{rand: r, memo: map[*api.Shape]*api.Shape{}}
		wider := *op
		wider.Output = x.shape(op.Output, true)
		m.add("unknown members, other order", &wider, x.value(wider.Output, v)).broken = true // where there are no others
		if p := op.Output.Member(op.Output.Payload); p == nil || p.Shape.Type == "structure" {
			m.bodies(r, a)
		}
	}
	return m.out, m.err
}

// values changes what the answer says.
func (m *answerMaker) values(r *rand.Rand, v any) {
	for _, c := range mutations {
		a := m.add(c.name, m.op, c.mutate(r, m.op.Output, v))
		replace := c.inXML
		if m.asJSON {
			replace = c.inJSON
		}
		if replace == nil {
			continue
		}
		a.meant = a.body
		for i := 0; i < len(replace); i += 2 {
			a.body = bytes.ReplaceAll(a.body, []byte(replace[i]), []byte(replace[i+1]))
		}
	}
}

// bodies changes how the answer is written.
func (m *answerMaker) bodies(r *rand.Rand, a answer) {
	add := func(name string, broken bool, body []byte) {
		m.out = append(m.out, answer{name: name, header: a.header, body: body, broken: broken || len(body) == 0})
	}
	for range 3 {
		add("cut off", true, a.body[:r.IntN(max(len(a.body), 1))])
	}
	add("HTML page", true, []byte("<html><body><h1>It works</h1></body></html>"))
	add("no body", true, nil)
	if m.asJSON {
		add("other order", false, shuffle(r, a.body, false))
		add("nulls", false, shuffle(r, a.body, true))
		add("more behind it", true, append(slices.Clone(a.body), "{}"...))
		add("another root", true, slices.Concat([]byte("["), a.body, []byte("]")))
		add("error document", true, []byte(`{"__type":"com.amazonaws#ThrottlingException","message":"slow down"}`))
		return
	}
	add("more behind it", true, append(slices.Clone(a.body), "<more/>"...))
	if i := bytes.LastIndex(a.body, []byte("</")); i >= 0 {
		name := bytes.TrimSuffix(a.body[i+2:], []byte(">"))
		add("another root", true, bytes.ReplaceAll(a.body, name, []byte("Other")))
	}
	add("error document", true, []byte(`<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>slow down</Message></Error><RequestId>1</RequestId></ErrorResponse>`))
}

// mutation changes an output. Its parts are asked at every value of theirs;
// nil ones leave it.
type mutation struct {
	name   string
	member func(*rand.Rand) bool // whether a member stays
	many   func(*rand.Rand) bool // whether a list or map keeps its elements
	text   func(*rand.Rand, string) string
	time   func(*rand.Rand, time.Time) time.Time
	number func(*rand.Rand, any) any
	// What is replaced in the body by what.
	inJSON, inXML []string
}

// Values that stand for others in the body.
const (
	oddText  = "-odd-text-"
	oddNum   = "987654321"
	oddEpoch = "1234567890"
	oddISO   = "2009-02-13T23:31:30Z"
	oddHTTP  = "Fri, 13 Feb 2009 23:31:30 GMT"
)

var oddTime = time.Unix(1234567890, 0).UTC()

var mutations = []mutation{
	{name: "absent members", member: func(r *rand.Rand) bool { return r.IntN(3) > 0 }},
	{name: "nothing", member: func(*rand.Rand) bool { return false }},
	{name: "empty lists and maps", many: func(r *rand.Rand) bool { return r.IntN(3) > 0 }},
	{name: "empty texts", text: func(r *rand.Rand, s string) string {
		if r.IntN(2) == 0 {
			return ""
		}
		return s
	}},
	{
		name: "odd texts", text: func(*rand.Rand, string) string { return oddText },
		inJSON: []string{oddText, `a\u0000b\ud83dc\ud83e\uddab\u00e9\/\b\f\\\"\ue000é𝄞 `},
		inXML:  []string{oddText, "a<![CDATA[<b>&amp;]]>&#x1F9AB;&#233;&apos;é𝄞]]&gt;\r\nc\rd &gt;\t "},
	},
	{
		name: "comments in texts", text: func(*rand.Rand, string) string { return oddText },
		inXML: []string{oddText, "-odd<!-- & -->-text-"},
	},
	{
		name: "bad times", time: func(r *rand.Rand, t time.Time) time.Time {
			if r.IntN(3) == 0 {
				return oddTime
			}
			return t
		},
		inJSON: []string{oddISO, "soon", oddHTTP, "soon", oddEpoch, `"soon"`},
		inXML:  []string{oddISO, "soon", oddHTTP, "soon", oddEpoch, "soon"},
	},
	{
		name: "numbers as texts", number: func(*rand.Rand, any) any { return int64(987654321) },
		inJSON: []string{oddNum, `"` + oddNum + `"`},
		inXML:  []string{oddNum, " " + oddNum + " "},
	},
}

func (m mutation) mutate(r *rand.Rand, s *api.Shape, v any) any {
	if s.Document {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		if s.Type == "map" && m.many != nil && !m.many(r) {
			return out
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			inner := s.Value
			if s.Type == "structure" {
				if m.member != nil && !m.member(r) {
					continue
				}
				at := s.Member(k)
				if inner = at.Shape; at.Location != "" || at.JSONValue || at.XMLAttribute {
					out[k] = v[k]
					continue
				}
			}
			out[k] = m.mutate(r, inner, v[k])
		}
		return out
	case []any:
		out := []any{}
		if m.many != nil && !m.many(r) {
			return out
		}
		for _, x := range v {
			out = append(out, m.mutate(r, s.Elem, x))
		}
		return out
	case string:
		if m.text != nil && s.Type == "string" {
			return m.text(r, v)
		}
	case time.Time:
		if m.time != nil {
			return m.time(r, v)
		}
	case int64:
		if m.number != nil {
			return m.number(r, v)
		}
	}
	return v
}

// without is an output without the values that stand for bad times.
func without(v any) any {
	switch v := v.(type) {
	case time.Time:
		if v.Equal(oddTime) {
			return nil
		}
	case map[string]any:
		for k, x := range v {
			if v[k] = without(x); x != nil && v[k] == nil {
				delete(v, k)
			}
		}
	case []any:
		return slices.DeleteFunc(v, func(x any) bool { return x != nil && without(x) == nil })
	}
	return v
}

// extender makes shapes with members that nobody knows and with the others in
// another order.
type extender struct {
	rand *rand.Rand
	memo map[*api.Shape]*api.Shape
}

const unknownMember = "DewpointUnknown"

func (x *extender) shape(s *api.Shape, root bool) *api.Shape {
	if s == nil || x.memo[s] != nil {
		return x.memo[s]
	}
	t := *s
	x.memo[s] = &t
	t.Elem, t.Key, t.Value = x.shape(s.Elem, false), x.shape(s.Key, false), x.shape(s.Value, false)
	if s.Type == "structure" && !s.Document {
		t.Members = slices.Clone(s.Members)
		for i := range t.Members {
			m := &t.Members[i]
			m.Shape = x.shape(m.Shape, false)
		}
		if !(root && s.Payload != "") {
			part := &api.Shape{Name: "Part", Type: "structure", Members: []api.Member{{Name: "Name", Shape: &api.Shape{Type: "string"}}, {Name: "Id", Shape: &api.Shape{Type: "string"}}}}
			t.Members = append(t.Members, api.Member{Name: unknownMember, Shape: &api.Shape{Name: "Parts", Type: "list", Elem: part}})
		}
		x.rand.Shuffle(len(t.Members), func(i, j int) { t.Members[i], t.Members[j] = t.Members[j], t.Members[i] })
	}
	return &t
}

// value adds values of the unknown members.
func (x *extender) value(s *api.Shape, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if s.Document {
			return v
		}
		out := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			inner := s.Value
			if s.Type == "structure" {
				inner = s.Member(k).Shape
			}
			out[k] = x.value(inner, v[k])
		}
		if s.Member(unknownMember) != nil {
			out[unknownMember] = []any{map[string]any{"Name": "n", "Id": "i"}, map[string]any{}}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = x.value(s.Elem, v[i])
		}
		return out
	}
	return v
}

// shuffle writes a JSON document with the members of all objects in another
// order and space between, and some values as null.
func shuffle(r *rand.Rand, body []byte, nulls bool) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return body
	}
	var b bytes.Buffer
	var write func(v any, root bool)
	write = func(v any, root bool) {
		if nulls && !root && r.IntN(8) == 0 {
			v = nil
		}
		switch v := v.(type) {
		case map[string]any:
			keys := slices.Sorted(maps.Keys(v))
			r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			b.WriteByte('{')
			for i, k := range keys {
				if i > 0 {
					b.WriteString(" ,\n")
				}
				writeJSON(&b, k)
				b.WriteString("\t: ")
				write(v[k], false)
			}
			b.WriteString(" }")
		case []any:
			b.WriteString("[ ")
			for i, x := range v {
				if i > 0 {
					b.WriteByte(',')
				}
				write(x, false)
			}
			b.WriteByte(']')
		default:
			writeJSON(&b, v)
		}
	}
	write(v, true)
	return b.Bytes()
}

func writeJSON(b *bytes.Buffer, v any) {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	b.Write(out)
}
