package stage

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// sharedEdge is an edge of a row of a batch whose kind declares some twice.
type sharedEdge struct {
	row  int
	decl int32
	ref  string
}

// equalDeclarations returns the position of the first declaration that is equal
// to each, as far as an edge tells: the references are from different places of
// the document. It returns nil where none are.
func equalDeclarations(edges []schema.Edge) []int32 {
	first, shared := map[[4]string]int32{}, false
	out := make([]int32, len(edges))
	for i, e := range edges {
		e = Declaration(e)
		key := [4]string{e.To, e.Relation, string(e.Match), string(e.OnDelete)}
		n, ok := first[key]
		if !ok {
			n = int32(i)
			first[key] = n
		}
		out[i], shared = n, shared || ok
	}
	if !shared {
		return nil
	}
	return out
}

// stageEdges stages the edges of the rows that are: staged holds the position
// of each of the batch's rows among the kind's staged ones, -1 for none.
func (s *Stage) stageEdges(k *Kind, b *schema.Batch, ids *array.FixedSizeBinary, staged []int64) error {
	if b.Edges == nil || b.Edges.NumRows() == 0 {
		return nil
	}
	from, ok1 := b.Edges.Column(schema.EdgeFromID).(*array.FixedSizeBinary)
	decl, ok2 := b.Edges.Column(schema.EdgeDecl).(*array.Int32)
	ref, ok3 := b.Edges.Column(schema.EdgeToRef).(*array.String)
	if !ok1 || !ok2 || !ok3 {
		return errors.New("the edges do not have schema.EdgeSchema")
	}
	accounts, ok1 := b.Rows.Column(schema.ColAccount).(*array.String)
	regions, ok2 := b.Rows.Column(schema.ColRegion).(*array.String)
	scopes, ok3 := b.Rows.Column(schema.ColScope).(*array.String)
	if !ok1 || !ok2 || !ok3 {
		return errors.New("the batch does not have the kind's schema")
	}
	var byID map[[16]byte]int
	var shared map[sharedEdge]struct{}
	if k.same != nil {
		shared = make(map[sharedEdge]struct{}, from.Len())
	}
	row := 0
	for i := range from.Len() {
		id := [16]byte(from.Value(i))
		// Edges usually stand in the order of their rows.
		for j := row; byID == nil && j < ids.Len(); j++ {
			if [16]byte(ids.Value(j)) == id {
				row = j
				break
			}
			if j == ids.Len()-1 {
				byID = make(map[[16]byte]int, ids.Len())
				for k := range ids.Len() {
					byID[[16]byte(ids.Value(k))] = k
				}
			}
		}
		if byID != nil {
			var ok bool
			if row, ok = byID[id]; !ok {
				return fmt.Errorf("an edge leaves %s, which is not in the batch", uuid.UUID(id))
			}
		}
		pos := staged[row]
		if pos < 0 {
			continue
		}
		if d := decl.Value(i); d < 0 || int(d) >= len(k.Edges) {
			return fmt.Errorf("an edge of %s names declaration %d of %d", uuid.UUID(id), d, len(k.Edges))
		}
		d := decl.Value(i)
		if k.same != nil {
			d = k.same[d]
			key := sharedEdge{row, d, ref.Value(i)}
			if _, again := shared[key]; again {
				continue
			}
			shared[key] = struct{}{}
		}
		e := edge{
			kind: k.Index, pos: pos, from: id, decl: d, ref: ref.Value(i),
			account: accounts.Value(row), region: regions.Value(row), scope: scopes.Value(row),
		}
		if err := s.edges.add(e); err != nil {
			return err
		}
	}
	return nil
}
