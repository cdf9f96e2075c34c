package catalog

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// identity compiles what fills the unified columns.
func (k *kindCompiler) identity() {
	r, spec := k.raw, &k.entry.Spec
	k.tagSource()
	var id normalize.Template
	for i, text := range r.ID {
		text, optional := strings.CutSuffix(text, "?")
		v, err := k.itemValue(text)
		if err == nil && v.tag == "" && v.header == "" && scalarType(v.shape) == 0 {
			err = fmt.Errorf("%s is a %s, not a scalar", text, v.shape.Type)
		}
		if err == nil && optional && len(r.ID) == 1 {
			err = fmt.Errorf("%s? is all of the id, it cannot be optional", text)
		}
		if err != nil {
			k.fail(fmt.Errorf("id: %w", err), "id", i)
			continue
		}
		k.uses(v, "id", len(r.ID) == 1)
		x := v.expr()
		x.Optional = optional
		spec.ID = append(spec.ID, x)
		if i > 0 {
			id = append(id, normalize.TemplatePart{Text: "/"})
		}
		id = append(id, normalize.TemplatePart{Expr: &x})
	}
	spec.URN = k.template("urn", r.URN, id, false)
	if spec.Name = k.template("name", r.Name, id, false); r.Name == "" {
		spec.Name = id
	}
	spec.Account = k.template("account", r.Account, id, true)
	spec.Region = k.template("region", r.Region, id, true)
	if spec.Located = r.Located; r.Located && r.Region == "" {
		k.failf([]any{"located"}, "located rows are of the scope of their region: say region")
	}
	if r.Located && k.parent != nil {
		k.failf([]any{"located"}, "located is for one call over many locations: the kind is listed for each of another")
	}
	k.recurse()
	spec.CreatedAt = k.time("created_at", r.CreatedAt)
	spec.UpdatedAt = k.time("updated_at", r.UpdatedAt)
	scope := k.keyScope()
	if r.KeyScope != "" && !slices.Contains([]schema.KeyScope{schema.KeyGlobal, schema.KeyAccount, schema.KeyRegion}, scope) {
		k.failf([]any{"key_scope"}, "key_scope: %q is neither global, account nor region", scope)
	}
	k.entry.Kind.KeyScope = scope
}

// uses notes that a value is read for a unified column; pure says that it is
// nothing but the column's value.
func (k *kindCompiler) uses(v value, column string, pure bool) {
	k.used = append(k.used, v)
	if pure && len(v.transforms) == 0 && v.parent == 0 && v.tag == "" && v.header == "" {
		k.unified[column] = v
	}
}

func (k *kindCompiler) tagSource() {
	text := k.raw.Tags
	if text == "" {
		return
	}
	v, err := k.value(text)
	if err != nil {
		k.fail(fmt.Errorf("tags: %w", err), "tags")
		return
	}
	if n := len(v.path); n > 0 && v.path[n-1].Each && v.shape.Type == "structure" {
		v.path = slices.Clone(v.path)
		if v.path[n-1].Member == "" {
			v.path = v.path[:n-1]
		} else {
			v.path[n-1].Each = false
		}
		v.shape = &api.Shape{Type: "list", Elem: v.shape}
	}
	t := &normalize.TagExpr{}
	switch s := v.shape; {
	case s.Type == "map" && scalarType(s.Value) == schema.Text:
	case s.Type == "list" && s.Elem.Type == "structure":
		t.Key, t.Value = keyValue(s.Elem)
		if t.Key == "" || t.Value == "" {
			k.failf([]any{"tags"}, "tags %s: no key and value among %s of %s", text, strings.Join(memberNames(s.Elem), ", "), s.Elem.Name)
			return
		}
	default:
		k.failf([]any{"tags"}, "tags %s: a %s is neither a list of keys and values nor a map of texts", text, s.Type)
		return
	}
	t.Expr = v.listExpr()
	k.tags = &v
	k.uses(v, "tags", true)
	k.entry.Spec.Tags = t
}

// template compiles a path or a template; in the list's item only, if item.
func (k *kindCompiler) template(field, text string, id normalize.Template, item bool) normalize.Template {
	if text == "" {
		return nil
	}
	resolve := k.value
	if item {
		resolve = k.itemValue
	}
	expr := func(text string, pure bool) *normalize.Expr {
		v, err := resolve(text)
		if err == nil && v.shape != nil && scalarType(v.shape) == 0 && len(v.transforms) == 0 {
			err = fmt.Errorf("%s is a %s, not a scalar", text, v.shape.Type)
		}
		if err != nil {
			k.fail(fmt.Errorf("%s: %w", field, err), field)
			return nil
		}
		k.uses(v, field, pure)
		x := v.expr()
		return &x
	}
	if !isTemplate(text) {
		if x := expr(text, true); x != nil {
			return normalize.Template{{Expr: x}}
		}
		return nil
	}
	t, err := compose(text, id, func(text string) *normalize.Expr { return expr(text, false) })
	if err != nil {
		k.fail(fmt.Errorf("%s: %w", field, err), field)
	}
	return t
}

// compose makes a template of a text with expressions in braces; expr is nil
// for those that are wrong, and says so itself.
func compose(text string, id normalize.Template, expr func(string) *normalize.Expr) (normalize.Template, error) {
	parts, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	var out normalize.Template
	for _, p := range parts {
		_, scope := scopeVar(p.text)
		switch {
		case !p.brace:
			out = append(out, normalize.TemplatePart{Text: p.text})
		case scope:
			out = append(out, normalize.TemplatePart{Var: p.text})
		case p.text == "id" && len(id) > 0:
			out = append(out, id...)
		default:
			if x := expr(p.text); x != nil {
				out = append(out, normalize.TemplatePart{Expr: x})
			}
		}
	}
	return out, nil
}

// isTemplate says whether a text is more than one expression, in braces or
// without.
func isTemplate(text string) bool {
	i := strings.IndexByte(text, '{')
	if i < 0 || unbrace(text) != strings.TrimSpace(text) {
		return false
	}
	// The braces of a path stand behind a name: Attributes{}, Users{key}.
	for ; i >= 0 && i < len(text); i++ {
		if text[i] != '{' {
			continue
		}
		if in := text[i:]; strings.HasPrefix(in, "{}") || strings.HasPrefix(in, "{key}") {
			continue
		}
		return true
	}
	return false
}

func (k *kindCompiler) time(field, text string) *normalize.TimeExpr {
	if text == "" {
		return nil
	}
	v, err := k.value(text)
	if err != nil {
		k.fail(fmt.Errorf("%s: %w", field, err), field)
		return nil
	}
	t := &normalize.TimeExpr{Expr: v.expr()}
	for _, p := range sortedKeys(k.raw.Times) {
		if w, err := k.value(p); err == nil && w.key() == v.key() {
			t.Format = timeFormats[k.raw.Times[p]]
		}
	}
	if t.Format == 0 && v.shape != nil && v.shape.Type != "timestamp" {
		k.failf([]any{field}, "%s: %s is a %s: say its format in times: {%s: iso8601}", field, text, v.shape.Type, text)
	}
	k.uses(v, field, true)
	return t
}

var relationName = regexp.MustCompile(`^[a-z][a-z_]*$`)

// edges compiles the references.
func (k *kindCompiler) edges() {
	for i, e := range k.raw.Edges {
		at := func(p string) []any { return []any{"edges", i, p} }
		if e.To == "" || e.Ref == "" {
			k.failf([]any{"edges", i}, "an edge needs to and ref")
			continue
		}
		to := e.To
		if to == "*" {
			to = ""
		} else if _, ok := k.s.m.kinds[to]; !ok {
			k.failf(at("to"), "edge to unknown kind %q%s", to, didYouMean(to, k.s.m.kindNames()))
			continue
		}
		x := normalize.EdgeExpr{Edge: len(k.entry.Kind.Edges)}
		var first value
		var bad error
		ref := func(text string) *normalize.Expr {
			v, err := k.reference(text)
			if err != nil {
				bad = err
				return nil
			}
			k.used = append(k.used, v)
			first = v
			expr := v.expr()
			return &expr
		}
		if e.Each != "" {
			x.Each, x.Template, bad = k.each(e, ref)
		} else if len(e.When) > 0 {
			bad = fmt.Errorf("when is about each of several structures: say each")
		} else if isTemplate(e.Ref) {
			t, err := compose(e.Ref, nil, ref)
			x.Template, bad = t, cmp.Or(bad, err)
		} else if p := ref(e.Ref); p != nil {
			x.Expr = *p
		}
		if bad != nil {
			k.fail(fmt.Errorf("edge to %s: %w", e.To, bad), at("ref")...)
			continue
		}
		rel := e.Relation
		if rel == "" {
			rel = "uses"
			if first.parent > 0 {
				rel = "in"
			}
		}
		if !relationName.MatchString(rel) {
			k.failf(at("relation"), "relation %q: lower case letters and _ only", rel)
		}
		m := schema.Match(cmp.Or(e.Match, "id"))
		switch {
		case !slices.Contains([]schema.Match{schema.MatchID, schema.MatchName, schema.MatchRegionName}, m):
			k.failf(at("match"), "match: %q is neither id, name nor region_name", e.Match)
		case m == schema.MatchRegionName && to == "":
			k.failf(at("match"), "match: region_name wants the kind that has the name, not \"*\"")
		}
		// An edge that is stored does not tell how it matches, its declaration does.
		if slices.ContainsFunc(k.entry.Kind.Edges, func(o schema.Edge) bool {
			return o.To == to && o.Relation == rel && o.Match != m && (o.Match == schema.MatchRegionName || m == schema.MatchRegionName)
		}) {
			k.failf(at("match"), "match: another edge to %s has the relation %s and matches otherwise: give one of them a relation of its own", e.To, rel)
		}
		od := schema.OnDelete(cmp.Or(e.OnDelete, "block"))
		if !slices.Contains([]schema.OnDelete{schema.Block, schema.Cascade, schema.Detach, schema.None}, od) {
			k.failf(at("on_delete"), "on_delete: %q is neither block, cascade, detach nor none", e.OnDelete)
		}
		k.entry.Spec.Edges = append(k.entry.Spec.Edges, x)
		k.entry.Kind.Edges = append(k.entry.Kind.Edges, schema.Edge{To: to, Ref: e.Ref, Relation: rel, Match: m, OnDelete: od})
	}
}

// edgesUnread says of edges in which columns it shows that their references
// could not be read.
func (k *kindCompiler) edgesUnread() {
	spec := &k.entry.Spec
	for i := range spec.Edges {
		x := &spec.Edges[i]
		for _, source := range spec.EdgeSources(x) {
			k.entry.Kind.Edges[x.Edge].Unread = append(k.entry.Kind.Edges[x.Edge].Unread, spec.Unread(source)...)
		}
	}
}

// each compiles an edge that is made of each of several structures.
func (k *kindCompiler) each(e Edge, ref func(string) *normalize.Expr) (*normalize.Each, normalize.Template, error) {
	v, err := k.value(e.Each)
	if err != nil {
		return nil, nil, err
	}
	if v.shape != nil && v.shape.Type == "list" {
		return nil, nil, fmt.Errorf("each: %s is a list, write %s[]", e.Each, e.Each)
	}
	if v.call == nil || v.call.index > 0 || v.up > 0 || v.shape == nil || v.shape.Type != "structure" || v.shape.Document {
		return nil, nil, fmt.Errorf("each: %s leads to no structure of the list's item", e.Each)
	}
	out := &normalize.Each{Path: v.listExpr().Path}
	field := func(text string) (int, error) {
		path, err := parsePath(text)
		if err != nil {
			return 0, err
		}
		t, err := walk(v.shape, path)
		if err != nil {
			return 0, err
		}
		if scalarType(t.shape) == 0 || t.many {
			return 0, fmt.Errorf("%s of %s is not one text", text, e.Each)
		}
		used := v
		used.path, used.target = slices.Concat(v.path, path), t
		k.used = append(k.used, used)
		out.Fields = append(out.Fields, path)
		return len(out.Fields), nil
	}
	parts, err := parseTemplate(e.Ref)
	if err != nil {
		return nil, nil, err
	}
	var tmpl normalize.Template
	for _, p := range parts {
		if name, own := strings.CutPrefix(p.text, "each."); own && p.brace {
			n, err := field(name)
			if err != nil {
				return nil, nil, err
			}
			tmpl = append(tmpl, normalize.TemplatePart{Field: n})
			continue
		}
		text := p.text
		if p.brace {
			text = "{" + text + "}"
		}
		rest, err := compose(text, nil, ref)
		if err != nil {
			return nil, nil, err
		}
		tmpl = append(tmpl, rest...)
	}
	if len(out.Fields) == 0 {
		return nil, nil, fmt.Errorf("each: the reference holds no {each.X}")
	}
	for _, path := range sortedKeys(e.When) {
		n, err := field(path)
		if err != nil {
			return nil, nil, err
		}
		out.When = append(out.When, normalize.EachCondition{Field: n, Values: e.When[path]})
	}
	return out, tmpl, nil
}

// reference resolves an expression that yields texts.
func (k *kindCompiler) reference(text string) (value, error) {
	v, err := k.value(text)
	if err != nil || v.shape == nil {
		return v, err
	}
	s := v.shape
	if s.Type == "list" {
		s = s.Elem
	}
	if scalarType(s) == 0 && !hasOp(v.transforms, normalize.ParseJSON) {
		return v, fmt.Errorf("%s is a %s, a reference is a text", text, s.Type)
	}
	return v, nil
}

func hasOp(ts []normalize.Transform, op normalize.TransformOp) bool {
	return slices.ContainsFunc(ts, func(t normalize.Transform) bool { return t.Op == op })
}

// unifiedSource says whether a column would repeat a unified one.
func (k *kindCompiler) unifiedSource(c *column) bool {
	if c.value.call == nil {
		return false
	}
	same := func(v value) bool {
		return v.call != nil && v.up == c.value.up && pathText(v.path) == pathText(c.value.path)
	}
	if k.tags != nil && k.tags.key() == c.value.key() {
		return true
	}
	v, ok := k.unified[c.name]
	return ok && same(v)
}
