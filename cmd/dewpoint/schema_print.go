package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// sinkChanges are the changes of one sink, as --output json prints them.
type sinkChanges struct {
	Sink    string         `json:"sink"`
	Changes []schemaChange `json:"changes"`
	// Left are drops and conflicts that apply did not make.
	Left  []schemaChange `json:"left,omitempty"`
	Error string         `json:"error,omitempty"`
}

type schemaChange struct {
	Action   sinks.SchemaAction `json:"action"`
	Additive bool               `json:"additive"`
	Table    string             `json:"table,omitempty"`
	Column   string             `json:"column,omitempty"`
	Have     string             `json:"have,omitempty"`
	Want     string             `json:"want,omitempty"`
	SQL      string             `json:"sql,omitempty"`
}

func shown(changes []sinks.SchemaChange) []schemaChange {
	out := []schemaChange{}
	for _, c := range changes {
		out = append(out, schemaChange{c.Action, c.Action.Additive(), c.Table, c.Column, c.Have, c.Want, c.SQL})
	}
	return out
}

// changesPrinter prints what a schema command found or did.
type changesPrinter struct {
	*app
	applied bool
}

func (p changesPrinter) all(all []sinkChanges, f *schemaFlags) error {
	if f.output == "json" {
		e := json.NewEncoder(p.out.Out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	for i, r := range all {
		if f.sql {
			p.statements(r)
			continue
		}
		if i > 0 {
			fmt.Fprintln(p.out.Out)
		}
		if err := p.sink(r); err != nil {
			return err
		}
	}
	return nil
}

// statements prints SQL; what a sync would not do is a comment.
func (p changesPrinter) statements(r sinkChanges) {
	fmt.Fprintf(p.out.Out, "-- %s\n", term.Clean(r.Sink))
	for _, c := range r.Changes {
		text := strings.TrimRight(c.SQL, "; \n") + ";"
		if !c.Additive && !p.applied {
			text = fmt.Sprintf("-- %s\n-- %s", c.Action, strings.ReplaceAll(text, "\n", "\n-- "))
		}
		fmt.Fprintln(p.out.Out, text)
	}
}

func (p changesPrinter) sink(r sinkChanges) error {
	switch {
	case r.Error != "":
		_, err := fmt.Fprintf(p.out.Out, "%s: %s\n", r.Sink, p.out.Red("failed"))
		return err
	case len(r.Changes) == 0 && len(r.Left) == 0:
		_, err := fmt.Fprintf(p.out.Out, "%s: nothing to do\n", r.Sink)
		return err
	case p.applied:
		fmt.Fprintf(p.out.Out, "%s: %s made\n", r.Sink, term.Plural(int64(len(r.Changes)), "change", "changes"))
	default:
		fmt.Fprintf(p.out.Out, "%s: %s\n", r.Sink, counts(r.Changes))
	}
	if err := p.table(r.Changes); err != nil || !p.applied {
		return err
	}
	if len(r.Left) == 0 {
		return nil
	}
	fmt.Fprintf(p.out.Out, "Left as they are, without --allow-drop: %s\n", counts(r.Left))
	return p.table(r.Left)
}

// table prints changes and what to do about those that a sync does not make.
func (p changesPrinter) table(changes []schemaChange) error {
	if len(changes) == 0 {
		return nil
	}
	t := term.NewTable("ACTION", "TABLE", "COLUMN", "HAVE", "WANT").Indent(2).Keep(3)
	for _, c := range changes {
		action := string(c.Action)
		switch {
		case c.Action == sinks.Conflict:
			action = p.out.Red(action)
		case !c.Additive:
			action = p.out.Yellow(action)
		}
		t.Row(action, term.Clean(c.Table), term.Clean(c.Column), term.Clean(c.Have), term.Clean(c.Want))
	}
	if err := t.Write(p.out); err != nil || p.applied {
		return err
	}
	kinds := tally(changes)
	if kinds.additions > 0 {
		fmt.Fprintln(p.out.Out, "Additions are made by the next sync, or by dewpoint schema apply.")
	}
	if kinds.drops > 0 {
		fmt.Fprintln(p.out.Out, "Drops lose values; only dewpoint schema apply --allow-drop makes them.")
	}
	if kinds.conflicts > 0 {
		fmt.Fprintln(p.out.Out, "Conflicts stop a sync. Rename the column in the catalogue (rename:), or what is in the way:")
		for _, c := range changes {
			if c.Action == sinks.Conflict {
				fmt.Fprintf(p.out.Out, "  %s\n", strings.ReplaceAll(term.Clean(strings.TrimRight(c.SQL, "; \n")+";"), "\n", "\n  "))
			}
		}
	}
	return nil
}

type changeCounts struct{ additions, drops, conflicts int64 }

func tally(changes []schemaChange) (n changeCounts) {
	for _, c := range changes {
		switch {
		case c.Action == sinks.Conflict:
			n.conflicts++
		case c.Additive:
			n.additions++
		default:
			n.drops++
		}
	}
	return n
}

func counts(changes []schemaChange) string {
	n := tally(changes)
	var parts []string
	if n.additions > 0 {
		parts = append(parts, term.Plural(n.additions, "addition", "additions"))
	}
	if n.drops > 0 {
		parts = append(parts, term.Plural(n.drops, "drop", "drops"))
	}
	if n.conflicts > 0 {
		parts = append(parts, term.Plural(n.conflicts, "conflict", "conflicts"))
	}
	return strings.Join(parts, ", ")
}
