package transform

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
)

// Affected is a resource that is affected when another is deleted.
type Affected struct {
	Resource
	// Parent is the UUID of the resource that it hangs on.
	Parent string
	Depth  int
	// Effect is goes, blocks, breaks or detached.
	Effect string
}

// Impact is what goes down with a resource.
type Impact struct {
	Of       Resource
	Affected []Affected
	// Total counts all that is affected by effect, beyond the limit too.
	Total map[string]int
}

// ReadImpact runs the SQL of ImpactSQL.
func ReadImpact(ctx context.Context, db *sql.DB, of Resource, query string) (*Impact, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	im := &Impact{Of: of, Total: map[string]int{}}
	for rows.Next() {
		var a Affected
		var parent, name sql.NullString
		var goes, blocks, breaks, detached int
		if err := rows.Scan(&a.UUID, &parent, &a.Depth, &a.Effect, &a.Kind, &a.ID, &name, &a.Account, &a.Region, &goes, &blocks, &breaks, &detached); err != nil {
			return nil, err
		}
		a.Parent, a.Name = parent.String, name.String
		im.Total = map[string]int{"goes": goes, "blocks": blocks, "breaks": breaks, "detached": detached}
		im.Affected = append(im.Affected, a)
	}
	return im, rows.Err()
}

// effects are what happens, in words.
var effects = []struct{ name, one string }{
	{"blocks", "block its deletion"},
	{"goes", "go with it"},
	{"breaks", "need something of that"},
	{"detached", "lose a link and stay"},
}

// WriteTree writes the resource, what hangs on it, and how much that is.
// siblings bounds how many of the same kind and effect stand below one.
func (im *Impact) WriteTree(w io.Writer, siblings int) error {
	below := map[string][]Affected{}
	for _, a := range im.Affected {
		below[a.Parent] = append(below[a.Parent], a)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s/%s\n", im.Of.Title(), im.Of.Account, im.Of.Region)
	writeBranch(&b, below, im.Of.UUID, "", siblings)
	b.WriteString("\n")
	shown := 0
	for _, e := range effects {
		if n := im.Total[e.name]; n > 0 {
			fmt.Fprintf(&b, "%5d %s\n", n, e.one)
			shown += n
		}
	}
	if shown == 0 {
		b.WriteString("Nothing hangs on it.\n")
	}
	if shown > len(im.Affected) {
		fmt.Fprintf(&b, "The nearest %d are shown: --limit shows more.\n", len(im.Affected))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeBranch writes what hangs on a resource: leaves of one kind and effect
// beyond the bound as a number.
func writeBranch(b *strings.Builder, below map[string][]Affected, of, indent string, siblings int) {
	all := below[of]
	type group struct{ kind, effect string }
	seen, left := map[group]int{}, map[group]int{}
	var shown []Affected
	for _, a := range all {
		g := group{a.Kind, a.Effect}
		if len(below[a.UUID]) == 0 {
			if seen[g]++; seen[g] > siblings {
				left[g]++
				continue
			}
		}
		shown = append(shown, a)
	}
	last := func(i int) bool {
		return i == len(shown)-1 && len(left) == 0
	}
	for i, a := range shown {
		edge, next := "├─ ", "│  "
		if last(i) {
			edge, next = "└─ ", "   "
		}
		fmt.Fprintf(b, "%s%s%-8s %s\n", indent, edge, a.Effect, a.Title())
		writeBranch(b, below, a.UUID, indent+next, siblings)
		g := group{a.Kind, a.Effect}
		more := left[g]
		final := i == len(shown)-1 || (group{shown[i+1].Kind, shown[i+1].Effect}) != g
		if more > 0 && final {
			delete(left, g)
			edge := "├─ "
			if last(i) {
				edge = "└─ "
			}
			fmt.Fprintf(b, "%s%s%-8s %d more %s\n", indent, edge, a.Effect, more, a.Kind)
		}
	}
}

// Step is a resource on a path.
type Step struct {
	Resource
	// Forward and Backward are the type of the relationship from the step
	// before, and to it; at least one is not empty but at the first step.
	Forward, Backward string
}

// ReadPath runs the SQL of PathSQL.
func ReadPath(ctx context.Context, db *sql.DB, query string) ([]Step, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var steps []Step
	for rows.Next() {
		var s Step
		var n int
		var name, forward, backward sql.NullString
		if err := rows.Scan(&n, &s.UUID, &s.Kind, &s.ID, &name, &s.Account, &s.Region, &forward, &backward); err != nil {
			return nil, err
		}
		s.Name, s.Forward, s.Backward = name.String, forward.String, backward.String
		steps = append(steps, s)
	}
	return steps, rows.Err()
}

// WritePath writes the steps, one a line.
func WritePath(w io.Writer, steps []Step) error {
	var b strings.Builder
	for _, s := range steps {
		switch {
		case s.Forward != "":
			fmt.Fprintf(&b, "  ── %s ─> ", s.Forward)
		case s.Backward != "":
			fmt.Fprintf(&b, "  <─ %s ── ", s.Backward)
		}
		fmt.Fprintf(&b, "%s  %s/%s\n", s.Title(), s.Account, s.Region)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
