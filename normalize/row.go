package normalize

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/uuid"
	"github.com/zeebo/xxh3"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Namespace is the namespace of every _id.
var Namespace = uuid.MustParse("6f1e0bd1-32e4-5c0b-9d0e-2d6a4be0a9c7")

// RowID returns the _id of a row: UUIDv5 of cloud, account, key scope, the
// kind's key and the vendor's id, each with its length in 4 bytes, big endian,
// before it. The account is empty for a kind whose ids are global; the key
// scope is the region for one whose ids are a region's, else empty.
func RowID(k *schema.Kind, account, region, id string) [16]byte {
	var h idHash
	return h.sum(k, []byte(account), []byte(region), []byte(id))
}

type idHash struct{ buf []byte }

func (h *idHash) sum(k *schema.Kind, account, region, id []byte) [16]byte {
	switch k.KeyScope {
	case schema.KeyGlobal:
		account, region = nil, nil
	case schema.KeyAccount:
		region = nil
	}
	h.buf = append(h.buf[:0], Namespace[:]...)
	h.buf = appendPart(h.buf, k.Cloud)
	h.buf = appendPart(h.buf, account)
	h.buf = appendPart(h.buf, region)
	h.buf = appendPart(h.buf, k.Key)
	h.buf = appendPart(h.buf, id)
	sum := sha1.Sum(h.buf)
	out := [16]byte(sum[:16])
	out[6] = out[6]&0x0f | 0x50
	out[8] = out[8]&0x3f | 0x80
	return out
}

// appendPart appends a text behind its length.
func appendPart[T string | []byte](dst []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// resetRow forgets the values of the last item.
func (w *walker) resetRow() {
	for _, s := range w.plan.rowSlots {
		w.slots[s] = w.slots[s][:0]
	}
	w.arena = w.arena[:0]
	w.hasKey = false
}

// forgetOpen forgets which columns the open row has values in.
func (w *walker) forgetOpen() {
	open := w.cols[0].open
	*open = (*open)[:0]
}

func (b *Builder) beginRow() { b.resetRow() }

// endRow makes what the row's document only says indirectly and closes the
// row, or drops it where the item has no id.
func (b *Builder) endRow() {
	if !b.identify() {
		b.problem(schema.ColVendorID, problemID, []byte("no value at "+b.plan.idPath()))
		b.truncate(len(b.edgeDecl))
		return
	}
	b.finishTags()
	b.late()
	for _, t := range []struct {
		col int
		t   template
	}{{schema.ColURN, b.plan.urn}, {schema.ColName, b.plan.name}} {
		if out, ok := b.expand(b.tmp[:0], t.t); ok {
			b.tmp = out
			b.cols[t.col].putText(out)
		}
	}
	b.cols[schema.ColVendorID].putText(b.id)
	b.cols[schema.ColAccount].putText(b.owner.account)
	b.cols[schema.ColRegion].putText(b.owner.region)
	id := b.sha.sum(b.plan.spec.Kind, b.owner.account, b.owner.region, b.id)
	b.ids = append(b.ids, id[:]...)
	b.finishUnread()
	hash := b.hash()
	hash = b.appendEdges(hash)
	b.hashes = binary.BigEndian.AppendUint64(b.hashes, hash.Hi)
	b.hashes = binary.BigEndian.AppendUint64(b.hashes, hash.Lo)
	for _, i := range *b.cols[0].open {
		b.cols[i].close(b.rows)
	}
	b.forgetOpen()
	if b.plan.spec.Located {
		b.locate()
	}
	b.rows++
}

func (p *Plan) idPath() string {
	var s []byte
	for i, e := range p.spec.ID {
		if i > 0 {
			s = append(s, ", "...)
		}
		s = append(s, e.Path.String()...)
	}
	return string(s)
}

// identify makes id, account and region; ok is false where the id lacks a part.
func (b *Builder) identify() (ok bool) {
	b.id, b.owned = b.id[:0], false
	for i := range b.plan.id {
		b.vals = b.values(b.vals[:0], &b.plan.id[i])
		if len(b.vals) == 0 || len(b.vals[0].b) == 0 {
			if b.plan.spec.ID[i].Optional {
				continue
			}
			return false
		}
		if len(b.id) > 0 {
			b.id = append(b.id, '/')
		}
		b.id = append(b.id, b.vals[0].b...)
	}
	if b.owner.account, ok = b.expand(b.owner.account[:0], b.plan.account); !ok {
		b.owner.account = append(b.owner.account[:0], b.origin.Scope.Account...)
	}
	if b.owner.region, ok = b.expand(b.owner.region[:0], b.plan.region); !ok {
		b.owner.region = append(b.owner.region[:0], b.origin.Scope.Region...)
	}
	b.owned = true
	return true
}

// finishTags makes tags present, if empty, where their source was not unread:
// vendors leave an empty list out. NULL says that nobody could tell.
func (b *Builder) finishTags() {
	src := b.plan.tags
	if src < 0 {
		return
	}
	c := &b.cols[schema.ColTags]
	if b.unreadSrc[src] {
		return
	}
	for _, key := range c.sortPairs(&b.scratch) {
		at := b.src
		b.src = src
		b.problem(schema.ColTags, problemTag, key)
		b.src = at
	}
	c.touch()
}

// tag returns the value of a tag of the open row.
func (w *walker) tag(key string) ([]byte, bool) { return w.cols[schema.ColTags].find(key) }

// late fills the columns that are made of expressions.
func (b *Builder) late() {
	for i := range b.plan.lateColumns {
		l := &b.plan.lateColumns[i]
		c := &b.cols[l.column]
		b.src = l.src
		b.vals = b.values(b.vals[:0], &l.expr)
		for _, v := range b.vals {
			t := token{b: v.b, typ: tokXML}
			s := sink{index: l.column, time: l.time}
			switch {
			case c.typ == schema.JSON && v.json:
				c.putJSON(v.b)
			case c.typ == schema.JSON:
				from := len(b.jbuf)
				b.jbuf = appendString(b.jbuf, v.b)
				c.putJSON(b.jbuf[from:])
				b.jbuf = b.jbuf[:from]
			case c.typ.Elem() != 0:
				b.add(&s, &t)
			default:
				b.put(&s, &t)
			}
			if !c.many && c.typ.Elem() == 0 {
				break // a scalar takes the first
			}
		}
	}
	b.src = 0
}

// finishUnread writes _unread.
func (b *Builder) finishUnread() {
	c := &b.cols[schema.ColUnread]
	for src, unread := range b.unreadSrc {
		if !unread {
			continue
		}
		for _, name := range b.plan.unread[src] {
			c.addText([]byte(name))
		}
		c.mark()
	}
}

// hash finishes the columns and sums up what they hold.
func (b *Builder) hash() (sum xxh3.Uint128) {
	for _, i := range *b.cols[0].open {
		c := &b.cols[i]
		if c.many || c.set || c.typ == schema.TextMap && i != schema.ColTags {
			b.finishColumn(c, i)
		}
		if b.plan.hashed[i] {
			sum = add128(sum, xxh3.Hash128Seed(b.canonicalValue(c), b.plan.seeds[i]))
		}
	}
	return sum
}

func (b *Builder) finishColumn(c *column, i int32) {
	if c.typ != schema.TextMap {
		c.finish(&b.scratch)
		return
	}
	for _, key := range c.sortPairs(&b.scratch) {
		b.problem(i, problemTag, key)
	}
}

func add128(a, b xxh3.Uint128) xxh3.Uint128 {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	hi, _ := bits.Add64(a.Hi, b.Hi, carry)
	return xxh3.Uint128{Hi: hi, Lo: lo}
}

// canonicalValue is what of the open row's value is hashed.
func (b *Builder) canonicalValue(c *column) []byte {
	switch c.typ {
	case schema.Text, schema.JSON:
		return c.openText()
	case schema.Bool, schema.Int64, schema.Float64, schema.Timestamp:
		binary.LittleEndian.PutUint64(b.num[:], uint64(c.now))
		return b.num[:]
	case schema.TextList, schema.TextMap:
		b.tmp = b.tmp[:0]
		for i := int(c.lens[len(c.lens)-1]); i < len(c.ends)-1; i++ {
			b.tmp = appendPart(b.tmp, c.key(i))
			if c.typ == schema.TextMap {
				b.tmp = appendPart(b.tmp, c.vals[c.valEnds[i]:c.valEnds[i+1]])
			}
		}
		return b.tmp
	}
	return arrow.Int64Traits.CastToBytes(c.nums[c.lens[len(c.lens)-1]:])
}

// appendEdges writes the row's edges, duplicates removed, and adds them to
// the hash.
func (b *Builder) appendEdges(sum xxh3.Uint128) xxh3.Uint128 {
	first, decl := len(b.edgeDecl), int32(-1)
	for i := range b.plan.edges {
		e := &b.plan.edges[i]
		if e.edge != decl {
			first, decl = len(b.edgeDecl), e.edge
			clear(b.edgeSeen)
		}
		switch {
		case e.each != nil:
			b.edgeVals = b.expandEach(b.edgeVals[:0], e)
		case len(e.template) > 0:
			b.edgeVals = b.expandAll(b.edgeVals[:0], e.template)
		default:
			b.edgeVals = b.values(b.edgeVals[:0], &e.expr)
		}
		for _, v := range b.edgeVals {
			if len(v.b) == 0 || b.hasEdge(first, v.b) {
				continue
			}
			b.edgeFrom = append(b.edgeFrom, int32(b.rows))
			b.edgeDecl = append(b.edgeDecl, e.edge)
			b.edgeText = append(roomFor(b.edgeText, len(v.b)), v.b...)
			b.edgeEnds = append(b.edgeEnds, int32(len(b.edgeText)))
			sum = add128(sum, xxh3.Hash128Seed(v.b, b.plan.edgeSeeds[e.edge]))
		}
	}
	return sum
}

// hasEdge reports whether the reference is one of the edges from first on. If
// it is not, it is about to be.
func (b *Builder) hasEdge(first int, ref []byte) bool {
	const few = 32
	n := len(b.edgeDecl) - first
	for k := first; k < first+min(n, few); k++ {
		if bytes.Equal(ref, b.edgeText[b.edgeEnds[k]:b.edgeEnds[k+1]]) {
			return true
		}
	}
	if n < few {
		return false
	}
	if b.edgeSeen == nil {
		b.edgeSeen = map[string]bool{}
	}
	if b.edgeSeen[string(ref)] {
		return true
	}
	b.edgeSeen[string(ref)] = true
	return false
}
