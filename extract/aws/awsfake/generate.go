package awsfake

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Generate makes an output of the operation that fits its description, the
// same for the same seed. For seeds that divide by four all members have
// values; for others some are absent or empty. Structures that hold themselves
// end after two rounds.
func Generate(svc *api.Service, op *api.Operation, seed uint64) map[string]any {
	if op.Output == nil {
		return map[string]any{}
	}
	h := fnv.New64a()
	fmt.Fprint(h, svc.Name, ".", op.Name)
	g := generator{rand: rand.New(rand.NewPCG(seed, h.Sum64())), full: seed%4 == 0, depth: map[*api.Shape]int{}}
	out, _ := g.value(op.Output, "", "").(map[string]any)
	return out
}

type generator struct {
	rand  *rand.Rand
	full  bool
	depth map[*api.Shape]int
}

// words make texts: some are what breaks careless readers.
var words = []string{"alpha", "Beta", "übergröße", "名前", "a&b", "<tag>", `"quoted"`, "it's", "emoji 🦫", "back\\slash", "naïve", "x=y;z", "tab\tstop", "line\nbreak", "%41", "{brace}"}

func (g *generator) value(s *api.Shape, location, format string) any {
	switch s.Type {
	case "structure":
		if s.Document {
			return g.document(2)
		}
		return g.structure(s)
	case "list":
		n := 1 + g.rand.IntN(3)
		if !g.full && g.rand.IntN(6) == 0 {
			n = 0
		}
		if location != "" || g.depth[s.Elem] >= 2 {
			n = min(n, 1)
		}
		l := make([]any, 0, n)
		for range n {
			if v := g.value(s.Elem, location, ""); v != nil {
				l = append(l, v)
			}
		}
		return l
	case "map":
		n := 1 + g.rand.IntN(3)
		if !g.full && g.rand.IntN(6) == 0 {
			n = 0
		}
		m := map[string]any{}
		for i := range n {
			key := fmt.Sprintf("key%d", i)
			if len(s.Key.Enum) > 0 {
				key = s.Key.Enum[g.rand.IntN(len(s.Key.Enum))]
			}
			if v := g.value(s.Value, location, ""); v != nil {
				m[key] = v
			}
		}
		return m
	case "boolean":
		return g.rand.IntN(2) == 0
	case "integer", "long":
		return g.integer(s)
	case "float", "double":
		f := g.rand.Float64() * 1e6
		if s.Max != nil {
			f = g.rand.Float64() * *s.Max
		}
		if s.Type == "float" {
			f = float64(float32(f))
		}
		return f
	case "timestamp":
		t := time.UnixMilli(946684800000 + g.rand.Int64N(1_500_000_000_000)).UTC()
		if location == "header" || format == "rfc822" || s.TimestampFormat == "rfc822" {
			t = t.Truncate(time.Second)
		}
		return t
	case "blob":
		b := make([]byte, 1+g.rand.IntN(20))
		for i := range b {
			b[i] = byte(g.rand.Uint32())
		}
		return b
	}
	return g.text(s, location)
}

func (g *generator) structure(s *api.Shape) any {
	if g.depth[s] >= 2 {
		return nil
	}
	g.depth[s]++
	defer func() { g.depth[s]-- }()
	out := map[string]any{}
	if s.Union {
		for _, i := range g.rand.Perm(len(s.Members)) {
			m := &s.Members[i]
			if v := g.value(m.Shape, m.Location, m.TimestampFormat); v != nil {
				out[m.Name] = v
				return out
			}
		}
		return nil
	}
	members := s.Members
	for i := range members {
		m := &members[i]
		if m.Location == "statusCode" || m.Shape.EventStream {
			continue
		}
		if !g.full && g.rand.IntN(6) == 0 {
			continue
		}
		if m.JSONValue {
			out[m.Name] = `{"a": [1, "ü"]}`
			continue
		}
		if v := g.value(m.Shape, m.Location, m.TimestampFormat); v != nil {
			out[m.Name] = v
		}
	}
	return out
}

// integer uses the full width of the type, or the range that is said.
func (g *generator) integer(s *api.Shape) any {
	lo, hi := int64(-1)<<31, int64(1)<<31-1
	if s.Type == "long" {
		lo, hi = -1<<63, 1<<63-1
	}
	if s.Min != nil {
		lo = max(lo, int64(*s.Min))
	}
	if s.Max != nil && *s.Max < float64(hi) {
		hi = int64(*s.Max)
	}
	switch g.rand.IntN(4) {
	case 0:
		return lo
	case 1:
		return hi
	}
	if span := uint64(hi) - uint64(lo) + 1; span != 0 {
		return int64(uint64(lo) + g.rand.Uint64N(span))
	}
	return int64(g.rand.Uint64())
}

func (g *generator) text(s *api.Shape, location string) string {
	if len(s.Enum) > 0 {
		return s.Enum[g.rand.IntN(len(s.Enum))]
	}
	if location != "" {
		return fmt.Sprintf("value-%d", g.rand.IntN(1000))
	}
	if !g.full && g.rand.IntN(12) == 0 && (s.Min == nil || *s.Min == 0) {
		return ""
	}
	parts := make([]string, 1+g.rand.IntN(3))
	for i := range parts {
		parts[i] = words[g.rand.IntN(len(words))]
	}
	return strings.Join(parts, "-")
}

func (g *generator) document(depth int) any {
	switch n := g.rand.IntN(6); {
	case depth > 0 && n < 2:
		return map[string]any{"a": g.document(depth - 1), "é": g.document(depth - 1)}
	case depth > 0 && n == 2:
		return []any{g.document(depth - 1), true, nil}
	case n == 3:
		return "text"
	case n == 4:
		return g.rand.Float64()
	}
	return int64(g.rand.IntN(1000))
}
