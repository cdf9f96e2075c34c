package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) kindsCommand() *cobra.Command {
	var output string
	var jsonSchema, drift bool
	var t targets
	cmd := &cobra.Command{
		Use:     "kinds [KIND | WORD | GLOB]",
		Short:   "List what can be read, or show one kind",
		GroupID: "use",
		Long: `Without an argument it lists all kinds. The name of a kind shows its columns,
edges, calls and permissions; a word or a glob searches names and descriptions.

--drift shows the members that the cloud sent in the newest sync and that this
version's description of its API lacks: they are in no column. A newer version,
or a catalogue file, may have them.`,
		Example: `  $ dewpoint kinds
  $ dewpoint kinds volume
  $ dewpoint kinds 'aws_iam_*'
  $ dewpoint kinds aws_ec2_instance`,
		Args:              atMost(1),
		ValidArgsFunction: a.completeKinds,
		RunE: func(_ *cobra.Command, args []string) error {
			if jsonSchema {
				_, err := a.out.Out.Write(catalog.JSONSchema())
				return err
			}
			if err := oneOf("--output", output, []string{"table", "json"}); err != nil {
				return err
			}
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			if drift {
				if len(args) > 0 {
					return usagef("--drift shows all kinds: leave %q out", args[0])
				}
				if err := t.apply(c); err != nil {
					return err
				}
				return a.drift(c.Sinks, output)
			}
			if len(t.to) > 0 {
				return usagef("--to is for --drift")
			}
			cat, err := workflow.LoadCatalogue(c)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return a.listKinds(cat.Entries(), output)
			}
			if e, ok := cat.Entry(args[0]); ok {
				return a.showKind(cat, e, output)
			}
			found := cat.Search(args[0])
			if len(found) == 0 {
				return usagef("no kind matches %q%s", args[0], suggest(args[0], cat.Names()))
			}
			return a.listKinds(found, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	complete(cmd, "output", completeWith("table", "json"))
	cmd.Flags().BoolVar(&drift, "drift", false, "show what the cloud sends beyond its description")
	t.flags(cmd, "with --drift, ask this sink, by `URL` (default as sync writes)")
	cmd.Flags().BoolVar(&jsonSchema, "schema", false, "print the JSON schema of catalogue files")
	return cmd
}

func (a *app) json(v any) error {
	e := json.NewEncoder(a.out.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *app) listKinds(list []*catalog.Entry, output string) error {
	if output == "json" {
		return a.json(catalog.Kinds(list))
	}
	t := term.NewTable("KIND", "LISTED BY", "DESCRIPTION").Keep(1)
	for _, e := range list {
		doc := e.Kind.Doc
		if e.Optional {
			doc = "(only when named) " + doc
		}
		t.Row(e.Kind.Name, e.List.Service+" "+e.List.Op, doc)
	}
	if err := t.Write(a.out); err != nil {
		return err
	}
	if !a.out.Terminal {
		return nil
	}
	_, err := fmt.Fprintln(a.out.Out, a.out.Dim(term.Plural(int64(len(list)), "kind", "kinds")+". One of them: dewpoint kinds KIND"))
	return err
}

// kindDetails is what kinds KIND -o json prints.
type kindDetails struct {
	*schema.Kind
	Calls       []kindCall `json:"calls"`
	Permissions []string   `json:"permissions"`
	ReferredBy  []referrer `json:"referred_by"`
	Optional    bool       `json:"optional,omitempty"`
	Declared    string     `json:"declared"`
}

type kindCall struct {
	Service string   `json:"service"`
	Call    string   `json:"call"`
	Purpose string   `json:"purpose"`
	Actions []string `json:"actions"`
}

type referrer struct {
	Kind     string          `json:"kind"`
	Relation string          `json:"relation"`
	Ref      string          `json:"ref"`
	OnDelete schema.OnDelete `json:"on_delete"`
}

func describe(cat *catalog.Catalogue, e *catalog.Entry) kindDetails {
	d := kindDetails{Kind: e.Kind, Optional: e.Optional, Declared: fmt.Sprintf("%s:%d", e.File, e.Line)}
	add := func(service, call, purpose string, actions []string) {
		d.Calls = append(d.Calls, kindCall{service, call, purpose, actions})
		for _, x := range actions {
			if i, found := slices.BinarySearch(d.Permissions, x); !found {
				d.Permissions = slices.Insert(d.Permissions, i, x)
			}
		}
	}
	if e.Parent != nil {
		p := e.Parent
		add(p.List.Service, p.List.Op, "lists "+p.Kind.Name, p.List.Actions)
		add(e.List.Service, e.List.Op, "lists, for each "+p.Kind.Name, e.List.Actions)
	} else {
		add(e.List.Service, e.List.Op, "lists", e.List.Actions)
	}
	for _, x := range e.Details {
		purpose := "completes each row"
		if x.Batch > 0 {
			purpose = fmt.Sprintf("completes %d rows a call", x.Batch)
		}
		add(x.Service, x.Op, purpose, x.Actions)
	}
	for _, other := range cat.Entries() {
		for _, g := range other.Kind.Edges {
			if g.To == e.Kind.Name {
				d.ReferredBy = append(d.ReferredBy, referrer{other.Kind.Name, g.Relation, g.Ref, g.OnDelete})
			}
		}
	}
	return d
}

func (a *app) showKind(cat *catalog.Catalogue, e *catalog.Entry, output string) error {
	d := describe(cat, e)
	if output == "json" {
		return a.json(d)
	}
	w := func(format string, args ...any) {
		fmt.Fprintf(a.out.Out, format+"\n", args...)
	}
	w("%s", a.out.Bold(e.Kind.Name))
	for _, l := range term.Wrap(e.Kind.Doc, min(100, cmp.Or(a.out.Width, 100))) {
		w("%s", l)
	}
	w("")
	fact := func(title, text string) {
		width := 0
		if a.out.Width > 0 {
			width = max(20, a.out.Width-13)
		}
		for _, l := range term.Wrap(text, width) {
			w("%s  %s", term.Pad(title, 11, false), l)
			title = ""
		}
	}
	fact("Identity", "id is unique within "+map[schema.KeyScope]string{
		schema.KeyGlobal: "the cloud", schema.KeyAccount: "the account", schema.KeyRegion: "the account and region",
	}[e.Kind.KeyScope])
	title := "Calls"
	for _, c := range d.Calls {
		fact(title, c.Service+" "+c.Call+" ("+c.Purpose+")")
		title = ""
	}
	fact("Permissions", strings.Join(d.Permissions, ", "))
	if b := e.Kind.Base; b != nil {
		if v, ok := schema.FindBaseView(b.Name); ok {
			fact("View", v.View)
		}
	}
	if e.Optional {
		fact("Optional", "read only when named: --only "+e.Kind.Name)
	}
	fact("Declared", d.Declared)
	w("\n%s after the unified ones (id, name, tags, created_at, region, ...)", a.out.Bold("Columns"))
	narrow := a.out.Width > 0 && a.out.Width < 120
	t := term.NewTable("NAME", "TYPE", "FROM", "DESCRIPTION").Indent(2).Keep(2)
	if narrow {
		t = term.NewTable("NAME", "TYPE", "DESCRIPTION").Indent(2).Keep(2)
	}
	for _, c := range e.Kind.Columns {
		doc := c.Doc
		if c.Volatile {
			doc = strings.TrimSpace("(makes no history) " + doc)
		}
		if narrow {
			t.Row(c.Name, c.Type.String(), doc)
			continue
		}
		from := c.Path
		if c.Call != "" {
			from = c.Call + ":" + from
		}
		t.Row(c.Name, c.Type.String(), from, doc)
	}
	if err := t.Write(a.out); err != nil {
		return err
	}
	var to []referrer
	for _, g := range e.Kind.Edges {
		to = append(to, referrer{cmp.Or(g.To, "(any)"), g.Relation, g.Ref, g.OnDelete})
	}
	if err := a.showEdges("Refers to", to); err != nil {
		return err
	}
	if err := a.showEdges("Referred to by", d.ReferredBy); err != nil {
		return err
	}
	w("\nNext: %s", a.out.Cyan(fmt.Sprintf(`dewpoint query "SELECT id, name, region, tags FROM %s LIMIT 10"`, e.Kind.Name)))
	return nil
}

// showEdges shows edges, those of the same kind and relation in one line.
func (a *app) showEdges(title string, list []referrer) error {
	if len(list) == 0 {
		return nil
	}
	fmt.Fprintf(a.out.Out, "\n%s\n", a.out.Bold(title))
	t := term.NewTable("KIND", "RELATION", "IF DELETED", "BY").Indent(2).Keep(3)
	for i, r := range list {
		same := func(o referrer) bool { return o.Kind == r.Kind && o.Relation == r.Relation && o.OnDelete == r.OnDelete }
		if slices.ContainsFunc(list[:i], same) {
			continue
		}
		by := r.Ref
		others := 0
		for _, o := range list[i+1:] {
			if same(o) {
				others++
			}
		}
		if others > 0 {
			by += fmt.Sprintf(" and %d more", others)
		}
		t.Row(r.Kind, r.Relation, string(r.OnDelete), by)
	}
	return t.Write(a.out)
}
