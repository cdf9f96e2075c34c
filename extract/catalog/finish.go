package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// base compiles the mapping into the unified view of a base.
func (k *kindCompiler) base() {
	if len(k.raw.Base) == 0 {
		return
	}
	name, _ := k.raw.Base["kind"].(string)
	if name == "" {
		k.failf([]any{"base"}, "base lacks kind: the name of the base")
		return
	}
	view, ok := schema.FindBaseView(name)
	if !ok {
		names := make([]string, len(schema.BaseViews))
		for i, v := range schema.BaseViews {
			names[i] = v.Base
		}
		k.failf([]any{"base", "kind"}, "unknown base %q%s", name, didYouMean(name, names))
		return
	}
	b := &schema.Base{Name: name, Columns: map[string]schema.BaseColumn{}}
	var known []string
	for _, c := range view.Columns {
		known = append(known, c.Name)
	}
	for _, col := range sortedKeys(k.raw.Base) {
		if col == "kind" {
			continue
		}
		if !slices.Contains(known, col) {
			k.failf([]any{"base", col}, "base %s has no column %q%s", name, col, didYouMean(col, known))
			continue
		}
		bc, err := baseColumn(k.raw.Base[col])
		if err != nil {
			k.failf([]any{"base", col}, "base column %s: %v", col, err)
			continue
		}
		if bc.Column != "" {
			if _, ok := k.entry.Kind.Column(bc.Column); !ok {
				k.failf([]any{"base", col}, "base column %s: no column %q%s", col, bc.Column, didYouMean(bc.Column, k.columnNames()))
				continue
			}
		}
		b.Columns[col] = bc
	}
	k.entry.Kind.Base = b
}

func (k *kindCompiler) columnNames() []string {
	var out []string
	for _, c := range k.entry.Kind.TableColumns() {
		out = append(out, c.Name)
	}
	return out
}

// baseColumn reads a column's name or the fields of a schema.BaseColumn.
func baseColumn(v any) (schema.BaseColumn, error) {
	var bc schema.BaseColumn
	switch v := v.(type) {
	case string:
		bc.Column = v
		return bc, nil
	case map[string]any:
		for key, x := range v {
			if !slices.Contains([]string{"column", "values", "scale", "present", "const"}, key) {
				return bc, fmt.Errorf("unknown key %q: it takes column, values, scale, present, const", key)
			}
			if m, ok := x.(map[string]any); ok && key == "values" {
				for from, to := range m {
					m[from] = fmt.Sprint(to)
				}
			} else if key == "const" || key == "column" {
				v[key] = fmt.Sprint(x)
			}
		}
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, &bc)
		}
		if err != nil {
			return bc, err
		}
		if (bc.Column == "") == (bc.Const == "") {
			return bc, fmt.Errorf("needs either column or const")
		}
		return bc, nil
	}
	return bc, fmt.Errorf("wants a column's name or a mapping with column, values, scale, present, const")
}

// actions compiles the calls on one resource.
func (k *kindCompiler) actions() {
	r, e := k.raw, k.entry
	if r.Get != nil {
		e.Get = k.action(*r.Get, "get")
	}
	if r.Tag != nil {
		e.Tag = k.action(*r.Tag, "tag")
	}
	if r.Untag != nil {
		e.Untag = k.action(*r.Untag, "untag")
	}
	if s := r.Stop; s != nil {
		e.Stop, e.Stopped = k.action(Call{Call: s.Call, Service: s.Service, Input: s.Input}, "stop"), s.Done
		for i, b := range s.Before {
			e.StopBefore = append(e.StopBefore, k.action(b, "stop", "before", i))
		}
		k.haveColumns(s.Done, "stop", "done")
	}
	if r.Start != nil {
		e.Start = k.action(*r.Start, "start")
	}
	k.detachments()
	e.Snapshot = k.snapshot(r.Snapshot, "snapshot")
	if e.Undeletable = r.Undeletable; e.Undeletable != "" && r.Delete != nil {
		k.failf([]any{"undeletable"}, "it has delete: say one of the two")
	}
	if d := r.Delete; d != nil {
		e.Delete = k.action(Call{Call: d.Call, Service: d.Service, Input: d.Input, Else: d.Else}, "delete")
		for i, b := range d.Before {
			e.Before = append(e.Before, k.action(b, "delete", "before", i))
		}
		if d.Empty != nil {
			e.Empty = k.emptying(d.Empty, "delete", "empty")
		}
	}
}

// haveColumns checks that the keys are columns.
func (k *kindCompiler) haveColumns(values map[string][]string, at ...any) {
	for _, name := range sortedKeys(values) {
		if _, ok := k.entry.Kind.Column(name); !ok {
			k.failf(append(slices.Clone(at), name), "no column %q%s", name, didYouMean(name, k.columnNames()))
		}
	}
}

// snapshot compiles the making of a snapshot; nil for none.
func (k *kindCompiler) snapshot(s *Snapshot, at ...any) *SnapshotAction {
	if s == nil {
		return nil
	}
	path := func(p ...any) []any { return append(slices.Clone(at), p...) }
	a := k.action(Call{Call: s.Call, Service: s.Service, Input: s.Input}, at...)
	find := k.action(s.Find, path("find")...)
	if a == nil || find == nil {
		return nil
	}
	out := &SnapshotAction{Action: *a, Find: find, Done: s.Done, Failed: s.Failed, Else: k.snapshot(s.Else, path("else")...)}
	if len(s.Done) == 0 {
		k.failf(path("done"), "done is empty: name the states in which a snapshot is complete")
	}
	var err error
	if out.State, err = parsePath(s.State); err == nil {
		_, op := k.operation(find.Service, find.Op, path("find", "call")...)
		if op != nil {
			_, err = walk(op.Output, append(slices.Clone(find.Items), out.State...))
		}
	}
	if err != nil {
		k.failf(path("state"), "state %s: output of %s: %v", s.State, find.Op, err)
	}
	return out
}

func (k *kindCompiler) action(c Call, at ...any) *Action { return k.actionIn(nil, c, at...) }

// actionIn compiles a call for the items of a sweep, nil for none.
func (k *kindCompiler) actionIn(s *sweepCompiler, c Call, at ...any) *Action {
	path := func(p ...any) []any { return append(slices.Clone(at), p...) }
	svc, op := k.operation(c.Service, c.Call, path("call")...)
	if op == nil {
		return nil
	}
	a := &Action{Cloud: k.raw.file.Cloud, Service: svc.Name, Op: op.Name}
	f := k.raw.file
	if svc != k.svc {
		f = k.s.m.fileOf(serviceKey{k.raw.file.Cloud, svc.Name})
	}
	if f != nil {
		a.Headers = f.Headers
	}
	if c.Items != "" {
		p, err := parsePath(c.Items)
		if err == nil {
			_, err = walk(op.Output, p)
		}
		if err != nil {
			k.failf(path("items"), "items %s: output of %s: %v", c.Items, op.Name, err)
		}
		a.Items = p
	} else if at[0] == "get" && op.Output == nil {
		k.failf(path("call"), "%s returns nothing", op.Name)
	}
	vars := k.actionVars(at...)
	var each any
	if s != nil {
		vars, each = s.vars(vars), s.each
	}
	a.Input = compileBatch(op, c.Input, each, vars, func(err error, p ...any) {
		k.fail(err, path(append([]any{"input"}, p...)...)...)
	})
	k.required(op, c.Input, path("call")...)
	a.Actions = k.permissions(f, svc, op, path("call")...)
	if k.vendor.Awaits != nil {
		if asks := k.vendor.Awaits(svc, op); asks != nil {
			a.Actions = append(slices.Clone(a.Actions), k.permissions(f, svc, asks, path("call")...)...)
		}
	}
	a.Actions = append(slices.Clone(a.Actions), c.Needs...)
	if c.Failures != nil {
		k.refusals(a, op, c.Failures, path("failures")...)
	}
	if c.Else != nil {
		a.Else = k.actionIn(s, *c.Else, path("else")...)
	}
	return a
}

// actionVars resolves the templates of calls on one resource, by where they
// stand.
func (k *kindCompiler) actionVars(at ...any) resolver {
	tag, untag, snapshot, detach, started := at[0] == "tag", at[0] == "untag", at[0] == "snapshot", at[0] == "edges", at[0] == "start"
	vars := map[string]varKind{"id": varID, "name": varName, "urn": varURN, "account": varAccount, "region": varRegion, "partition": varPartition}
	return func(text string) (inputPart, error) {
		if v, ok := vars[text]; ok {
			return inputPart{kind: v}, nil
		}
		if text == "action_id" && snapshot {
			return inputPart{kind: varActionID}, nil
		}
		if text == "to.id" && detach {
			return inputPart{kind: varTo}, nil
		}
		if text == "tags" && tag {
			return inputPart{kind: varTags}, nil
		}
		if text == "all_tags" && (tag || untag) {
			return inputPart{kind: varAllTags}, nil
		}
		if text == "keys" && untag {
			return inputPart{kind: varKeys}, nil
		}
		if key, ok := strings.CutPrefix(text, "tag."); ok && started {
			return inputPart{kind: varTag, arg: key}, nil
		}
		if col, ok := strings.CutPrefix(text, "column."); ok {
			if _, ok := k.entry.Kind.Column(col); !ok {
				return inputPart{}, fmt.Errorf("{%s}: no column %q%s", text, col, didYouMean(col, k.columnNames()))
			}
			return inputPart{kind: varColumn, arg: col}, nil
		}
		known := "id, name, urn, account, region, partition, column.x"
		if tag {
			known += ", tags, all_tags"
		}
		if untag {
			known += ", keys, all_tags"
		}
		if snapshot {
			known += ", action_id"
		}
		if detach {
			known += ", to.id"
		}
		if started {
			known += ", tag.KEY"
		}
		return inputPart{}, fmt.Errorf("unknown variable {%s}: a call on one resource knows %s", text, known)
	}
}

// fileOf is the first file of a service, nil if there is none.
func (m *merged) fileOf(service serviceKey) *rawFile {
	for _, f := range m.files {
		if f.key() == service {
			return f
		}
	}
	return nil
}

// finish settles what other kinds of the service may have added to.
func (k *kindCompiler) finish() {
	k.mask()
	for i, c := range k.calls {
		k.entry.Spec.Sources[i].Shape = c.shape
	}
	r := k.raw
	var page Page // without its size
	if r.Page != nil {
		page = Page{None: r.Page.None, Token: r.Page.Token, More: r.Page.More, Result: r.Page.Result}
	}
	parent := ""
	if k.parent != nil {
		parent = k.parent.entry.Kind.Definition
	}
	definition := []any{
		r.file.Service, r.scope(), r.regions(), r.List, r.Input, r.Inputs, page, r.Items, r.Only,
		r.ForEach, parent, r.When, r.AbsentOn, r.GoneOn, r.ID, k.entry.Kind.KeyScope,
	}
	if r.Located || r.Recurse != nil {
		definition = append(definition, r.Located, r.Recurse)
	}
	k.entry.Kind.Definition = schema.HashDefinition(definition)
}

// doc describes the kind in one line.
func (k *kindCompiler) doc() {
	doc := k.raw.Doc
	for _, c := range k.calls {
		if doc == "" && c.item != nil && c.item.Type == "structure" && len(c.items) > 0 {
			doc = nounOfDoc(FirstSentence(c.item.Doc))
		}
	}
	if doc == "" {
		noun := k.entry.noun
		doc = strings.ToUpper(noun[:min(1, len(noun))]) + strings.ReplaceAll(noun[min(1, len(noun)):], "_", " ") + " of " + k.svc.Title + "."
	}
	k.entry.Kind.Doc = doc
}

// group puts kinds that the same calls feed into one ListCall, and for-each
// calls under their parents'.
func (s *serviceCompiler) group() {
	byKey := map[string]*ListCall{}
	for _, k := range s.order {
		l := k.entry.List
		inputs := make([]string, len(l.Inputs))
		for i, in := range l.Inputs {
			inputs[i] = in.text
		}
		var tokens []string
		if l.Pager != nil {
			for _, p := range l.Pager.Paths() {
				tokens = append(tokens, pathText(p))
			}
		}
		key := canonical([]any{l.Cloud, l.Service, l.Op, inputs, tokens, l.Scope, l.Regions, l.Headers, l.Limit, l.AbsentOn, l.GoneOn, l.NotApplicable, k.raw.ForEach, k.raw.When, l.Partial, k.raw.Recurse})
		if l.Recurse != nil {
			key += k.raw.name // asked for what is found of this kind
		}
		g, ok := byKey[key]
		if !ok {
			g = l
			byKey[key] = g
			if p := k.entry.Parent; p != nil {
				g.Parent, g.When = p, k.entry.When
				p.List.Children = append(p.List.Children, g)
			} else {
				s.lists = append(s.lists, g)
			}
		}
		k.entry.List = g
		g.Entries = append(g.Entries, k.entry)
	}
	for _, l := range byKey {
		slices.SortFunc(l.Entries, func(a, b *Entry) int { return strings.Compare(a.Kind.Name, b.Kind.Name) })
	}
}
