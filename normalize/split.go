package normalize

import (
	"net/http"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Page is a page that was split into items.
type Page struct {
	// Tokens are the values of Source.Tokens, empty where there is none.
	Tokens []string
	Items  []Item
	// Failures are what a batch answer says it could not read.
	Failures []Failure
}

// Failure is an entry of Source.Failures.
type Failure struct{ Key, Code string }

// Item is an item of a split page. It is a view into the body: the caller
// keeps the body as it is for as long as the item is in use. Items are plain
// values and may be used by several goroutines.
type Item struct {
	// Match is the value of Source.Match, of an item of a batch detail.
	Match string

	plan   *Plan
	src    int
	body   []byte
	whole  bool // the body is a document, not a part of one
	header http.Header
	outer  [][][]byte // the slots of the structures around the item
	vals   [][]string // of plan.split
}

// Capture returns the first value of Spec.Captures[i]; ok is false if the
// item has none.
func (it Item) Capture(i int) (_ string, ok bool) {
	if v := it.CaptureAll(i); len(v) > 0 {
		return v[0], true
	}
	return "", false
}

// CaptureAll returns all values of Spec.Captures[i].
func (it Item) CaptureAll(i int) []string {
	if i < 0 || i >= it.plan.captures {
		return nil
	}
	return it.vals[i]
}

// ID returns the _id that the item's row has; ok is false if it has no id and
// thus no row.
func (it Item) ID(o Origin) (_ [16]byte, ok bool) {
	if len(it.vals) == 0 {
		return [16]byte{}, false
	}
	k := it.plan.captures
	var id strings.Builder
	for i := range it.plan.id {
		v := it.first(k, &it.plan.id[i], &o)
		if v == "" {
			if it.plan.spec.ID[i].Optional {
				k++
				continue
			}
			return [16]byte{}, false
		}
		if id.Len() > 0 {
			id.WriteByte('/')
		}
		id.WriteString(v)
		k++
	}
	account, region := o.Scope.Account, o.Scope.Region
	account, k = it.expand(it.plan.account, k, &o, account)
	region, _ = it.expand(it.plan.region, k, &o, region)
	return RowID(it.plan.spec.Kind, account, region, id.String()), true
}

// first is the first value of an expression, "" for none: the kth of those
// that were kept, or the origin's.
func (it Item) first(k int, e *expr, o *Origin) string {
	if e.parent > 0 || e.variable != "" {
		w := it.plan.splitter()
		defer it.plan.put(w)
		w.from(o)
		if v := w.values(nil, e); len(v) > 0 {
			return string(v[0].b)
		}
		return ""
	}
	if len(it.vals[k]) == 0 {
		return ""
	}
	return it.vals[k][0]
}

// expand is walker.expand for values that were kept.
func (it Item) expand(t template, k int, o *Origin, otherwise string) (string, int) {
	var s strings.Builder
	ok := len(t) > 0
	for _, p := range t {
		switch {
		case p.expr != nil:
			v := it.first(k, p.expr, o)
			ok = ok && v != ""
			s.WriteString(v)
			k++
		case p.variable != "":
			switch p.variable {
			case "account":
				s.WriteString(o.Scope.Account)
			case "region":
				s.WriteString(o.Scope.Region)
			default:
				s.WriteString(o.Partition)
			}
		default:
			s.WriteString(p.text)
		}
	}
	if !ok {
		return otherwise, k
	}
	return s.String(), k
}

// Split finds the items of a page of the list call without making rows, for
// kinds with details or children: captures first, Builder.Append later. The
// header is that of the answer. A body that is not the output is a *PageError.
func (p *Plan) Split(body []byte, h http.Header) (*Page, error) {
	return p.splitSource(0, body, h)
}

// SplitDetail finds the items of a batch detail's answer, which Item.Match
// names, its failures and its tokens. For a detail of one row there is one
// item, and the tokens are those of its page.
func (p *Plan) SplitDetail(source int, body []byte) (*Page, error) {
	return p.splitSource(source, body, nil)
}

func (p *Plan) splitSource(src int, body []byte, h http.Header) (*Page, error) {
	s := p.splitter()
	defer p.put(s)
	s.page = &Page{}
	s.header = h
	s.outer = nil
	s.arena, s.upArena = s.arena[:0], s.upArena[:0]
	s.readHeaders(src, h)
	err := s.read(src, body, &p.sources[src].split)
	page := s.page
	s.page, s.header = nil, nil
	if err != nil {
		return nil, err
	}
	page.Tokens = s.tokens(src)
	return page, nil
}

// splitter is a walker that collects items.
type splitter struct {
	walker
	page   *Page
	header http.Header
	outer  [][][]byte
	of     int // walker.gen of outer
	lists  [][]string
	texts  []string
	last   [8]string // texts of the last items
	turn   int
}

// take cuts n elements from a slab that many items share.
func take[T any](slab *[]T, n int) []T {
	if len(*slab) < n {
		*slab = make([]T, max(n, 256))
	}
	out := (*slab)[:n:n]
	*slab = (*slab)[n:]
	return out
}

// intern makes a string of b, the same one where the last items had it: ids are
// captured twice, and owners seldom differ.
func (s *splitter) intern(b []byte) string {
	for _, t := range s.last {
		if t == string(b) {
			return t
		}
	}
	s.turn = (s.turn + 1) % len(s.last)
	s.last[s.turn] = string(b)
	return s.last[s.turn]
}

func (p *Plan) splitter() *splitter {
	if s, ok := p.pool.Get().(*splitter); ok {
		return s
	}
	s := &splitter{walker: *newWalker(p)}
	s.walker.split = s
	s.cols = p.newColumns()
	return s
}

func (p *Plan) put(s *splitter) {
	s.b, s.origin = nil, nil
	s.lists, s.texts, s.last = nil, nil, [8]string{}
	s.problems.open = s.problems.open[:0]
	clear(s.drift)
	for i := range s.slots {
		clear(s.slots[i])
	}
	if cap(s.arena)+cap(s.upArena)+cap(s.jbuf) < 1<<20 {
		p.pool.Put(s)
	}
}

// tokens returns the values of a source's tokens.
func (w *walker) tokens(src int) []string {
	slots := w.plan.sources[src].tokens
	if len(slots) == 0 {
		return nil
	}
	out := make([]string, len(slots))
	for i, s := range slots {
		if v := w.slots[s]; len(v) > 0 {
			out[i] = string(v[0])
		}
	}
	return out
}

// begin starts an item.
func (s *splitter) begin(w *walker) { w.resetRow() }

// end keeps an item that stands from..to in the body.
func (s *splitter) end(w *walker, from, to int) {
	p := w.plan
	it := Item{plan: p, src: w.src, body: w.b[from:to:to], whole: w.whole, header: s.header}
	if m := p.sources[w.src].match; m >= 0 && len(w.slots[m]) > 0 {
		it.Match = string(w.slots[m][0])
	}
	if w.src == 0 {
		it.vals = take(&s.lists, len(p.split))
		w.cols[schema.ColTags].sortPairs(&w.scratch)
		for i := range p.split {
			if e := &p.split[i]; e.parent > 0 || e.variable != "" {
				continue // Item.first asks the origin
			}
			w.vals = w.values(w.vals[:0], &p.split[i])
			it.vals[i] = take(&s.texts, len(w.vals))
			for k, v := range w.vals {
				it.vals[i][k] = s.intern(v.b)
			}
		}
		w.cols[schema.ColTags].truncate(0)
		w.forgetOpen()
		if p.outer() > 0 {
			if s.outer == nil || s.of != w.gen {
				s.outer, s.of = w.copyOuter(), w.gen
			}
			it.outer = s.outer
		}
	}
	s.page.Items = append(s.page.Items, it)
}

// outer is the number of levels around the items of source 0.
func (p *Plan) outer() int { return p.sources[0].tokenLevel }

// copyOuter copies the slots of the structures around the item.
func (w *walker) copyOuter() [][][]byte {
	var out [][][]byte
	for _, slots := range w.plan.levelSlots[:w.plan.outer()] {
		for _, s := range slots {
			var vals [][]byte
			for _, v := range w.slots[s] {
				vals = append(vals, append([]byte(nil), v...))
			}
			out = append(out, vals)
		}
	}
	return out
}

// restoreOuter is the inverse of copyOuter.
func (w *walker) restoreOuter(in [][][]byte) {
	i := 0
	for _, slots := range w.plan.levelSlots[:w.plan.outer()] {
		for _, s := range slots {
			w.slots[s] = w.slots[s][:0]
			if i < len(in) {
				w.slots[s] = append(w.slots[s], in[i]...)
			}
			i++
		}
	}
}

func (s *splitter) beginFailure(w *walker) {
	src := &w.plan.sources[w.src]
	for _, k := range []int32{src.failKey, src.failCode} {
		if k >= 0 {
			w.slots[k] = w.slots[k][:0]
		}
	}
}

func (s *splitter) endFailure(w *walker) {
	src := &w.plan.sources[w.src]
	var f Failure
	if k := src.failKey; k >= 0 && len(w.slots[k]) > 0 {
		f.Key = string(w.slots[k][0])
	}
	if k := src.failCode; k >= 0 && len(w.slots[k]) > 0 {
		f.Code = string(w.slots[k][0])
	}
	s.page.Failures = append(s.page.Failures, f)
}
