package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// build checks and compiles the documents, service by service: those that the
// kinds of only are of, all if it is empty or selects what does not exist.
func build(vs []Vendor, docs []*document, only []string) (*Catalogue, error) {
	m := merge(vs, docs)
	problems := m.problems
	names := m.services()
	var uncompiled []*Entry
	if len(only) > 0 {
		names, uncompiled = m.restrict(names, only)
	}
	units := m.units(names)
	parts := make([]*serviceCompiler, len(units))
	var wg sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, unit := range units {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			parts[i] = compileServices(m, unit)
		})
	}
	wg.Wait()
	c := &Catalogue{vendors: vs, byName: map[string]*Entry{}}
	var later []serviceKey
	for _, p := range parts {
		problems = append(problems, p.problems...)
		later = append(later, p.later...)
		c.add(p)
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	for _, name := range m.kindNames() {
		if k := m.kinds[name]; slices.Contains(later, k.file.key()) {
			uncompiled = append(uncompiled, m.stub(k))
		}
	}
	c.uncompiled, c.later = uncompiled, m.keep(later)
	return c, nil
}

// add takes what was compiled.
func (c *Catalogue) add(p *serviceCompiler) {
	for _, k := range p.order {
		c.entries = append(c.entries, k.entry)
		c.byName[k.entry.Kind.Name] = k.entry
	}
	c.lists = append(c.lists, p.lists...)
	slices.SortFunc(c.entries, func(a, b *Entry) int { return strings.Compare(a.Kind.Name, b.Kind.Name) })
}

// serviceCompiler compiles the kinds of one service, or of several that hang
// together.
type serviceCompiler struct {
	m        *merged
	svcs     map[serviceKey]*api.Service
	kinds    map[string]*kindCompiler
	order    []*kindCompiler
	lists    []*ListCall
	problems Problems
	later    []serviceKey // described at run time
	lenient  bool         // a problem is its kind's alone
}

func compileServices(m *merged, services []serviceKey) *serviceCompiler {
	s := &serviceCompiler{m: m, svcs: map[serviceKey]*api.Service{}, kinds: map[string]*kindCompiler{}}
	for _, key := range services {
		svc, err := m.vendors.of(key.cloud).Lookup(key.service)
		if errors.Is(err, ErrLater) {
			s.later = append(s.later, key)
			continue
		}
		for _, f := range m.files {
			switch {
			case f.key() != key:
			case err != nil:
				s.problems = append(s.problems, f.place("service").problem("", "service: %v", err))
			default:
				s.checkFile(f, svc)
			}
		}
		if err == nil {
			s.svcs[key] = svc
		}
	}
	s.compile(slices.DeleteFunc(slices.Clone(services), func(k serviceKey) bool { return s.svcs[k] == nil }))
	return s
}

// compile compiles the kinds of services that are described.
func (s *serviceCompiler) compile(services []serviceKey) {
	kinds, problems := s.m.ofServices(services)
	s.problems = append(s.problems, problems...)
	for _, raw := range kinds {
		key := raw.file.key()
		if s.svcs[key] == nil {
			continue // the service's problem is reported
		}
		k := &kindCompiler{s: s, raw: raw, svc: s.svcs[key], vendor: s.m.vendors.of(key.cloud)}
		if raw.ForEach != "" {
			if k.parent = s.kinds[raw.ForEach]; k.parent == nil {
				continue // the parent's problem is reported
			}
		}
		if k.compile() {
			s.kinds[raw.name] = k
			s.order = append(s.order, k)
		}
	}
	for _, k := range s.order {
		k.finish()
	}
	if s.lenient {
		s.order = slices.DeleteFunc(s.order, func(k *kindCompiler) bool {
			return slices.ContainsFunc(s.problems, func(p Problem) bool { return p.Kind == k.raw.name })
		})
	}
	s.group()
}

func (f *rawFile) place(key string) place {
	if f.doc == nil {
		return place{}
	}
	if o, ok := f.fields[key]; ok {
		return o.doc.place(o.node)
	}
	return f.doc.place(f.doc.root)
}

// checkFile checks what a file says about its service.
func (s *serviceCompiler) checkFile(f *rawFile, svc *api.Service) {
	fail := func(key, format string, args ...any) {
		s.problems = append(s.problems, f.place(key).problem("", format, args...))
	}
	if err := s.m.vendors.of(f.Cloud).scopeOK(f.Scope); err != nil {
		fail("scope", "%v", err)
	}
	for _, op := range sortedKeys(f.Actions) {
		o := f.fields["actions"]
		if _, ok := svc.Operations[op]; !ok {
			s.problems = append(s.problems, o.doc.place(o.doc.find(o.node, op)).problem("", "actions: %s has no operation %q%s", f.Service, op, didYouMean(op, operationNames(svc))))
		}
	}
	if f.Limit != nil && f.Limit.Per != "" && f.Limit.Per != "region" && f.Limit.Per != "account" {
		fail("limit", "limit: per: %q is neither region nor account", f.Limit.Per)
	}
}

func operationNames(s *api.Service) []string { return sortedKeys(s.Operations) }

// kindCompiler compiles one kind.
type kindCompiler struct {
	s      *serviceCompiler
	raw    *rawKind
	svc    *api.Service
	vendor *Vendor
	parent *kindCompiler
	entry  *Entry
	calls  []*call
	tags   *value
	// used are values that are read whether or not they are columns.
	used    []value
	unified map[string]value // of pure paths, by unified column
	keeps   []value
}

func (k *kindCompiler) fail(err error, path ...any) {
	if errors.Is(err, errReported) {
		return
	}
	k.s.problems = append(k.s.problems, k.raw.place(path...).problem(k.raw.name, "%v", err))
}

func (k *kindCompiler) failf(path []any, format string, args ...any) {
	k.fail(fmt.Errorf(format, args...), path...)
}

// compile reports what is wrong; it is false if nothing could be made of the kind.
func (k *kindCompiler) compile() bool {
	r := k.raw
	if k.vendor.Defaults != nil {
		k.vendor.Defaults(r.file.Service, r.name, &r.Kind)
	}
	if err := k.vendor.kindNameOK(r.name); err != nil {
		k.fail(err)
	}
	if err := k.vendor.scopeOK(r.Scope); err != nil {
		k.fail(err, "scope")
	}
	for _, f := range []struct{ key, val string }{{"list", r.List}, {"items", r.Items}, {"id", strings.Join(r.ID, "")}} {
		if f.val == "" {
			k.failf(nil, "lacks %s", f.key)
		}
	}
	if r.List == "" || r.Items == "" {
		return false
	}
	k.entry = &Entry{
		Kind: &schema.Kind{
			Name: r.name, Key: r.name, Cloud: r.file.Cloud, Service: r.file.Service, Parent: r.ForEach, Renamed: r.Renamed,
		},
		Optional: r.Optional, File: r.at.file, Line: r.at.line, captures: map[string]int{},
	}
	k.entry.service, k.entry.noun = k.vendor.words(r.name)
	if r.Key != "" {
		k.entry.Kind.Key = r.Key
	}
	k.unified = map[string]value{}
	if !k.list() {
		return false
	}
	k.details()
	k.conditions()
	k.identity()
	k.edges()
	k.decide()
	t := k.columns()
	t.emit(k.entry)
	for _, c := range t.cols {
		k.used = append(k.used, c.value)
	}
	k.base()
	k.actions()
	k.doc()
	k.entry.Spec.Kind = k.entry.Kind
	k.edgesUnread()
	return true
}

// operation finds an operation, in the kind's service or another.
func (k *kindCompiler) operation(service, name string, path ...any) (*api.Service, *api.Operation) {
	svc := k.svc
	if service != "" && service != k.raw.file.Service {
		var err error
		if svc, err = k.vendor.Lookup(service); err != nil {
			k.fail(err, path...)
			return nil, nil
		}
	}
	op, ok := svc.Operations[name]
	if !ok {
		k.failf(path, "%s has no operation %q%s", svc.Name, name, didYouMean(name, operationNames(svc)))
		return nil, nil
	}
	return svc, op
}

// list compiles the list call.
func (k *kindCompiler) list() bool {
	r, e := k.raw, k.entry
	_, op := k.operation("", r.List, "list")
	if op == nil {
		return false
	}
	items, err := parsePath(r.Items)
	if err != nil {
		k.fail(err, "items")
		return false
	}
	t, err := walk(op.Output, items)
	if err != nil {
		k.failf([]any{"items"}, "items %s: output of %s: %v", r.Items, op.Name, err)
		return false
	}
	if t.shape.Type == "list" {
		k.failf([]any{"items"}, "items %s: this is the list, its items are %s[]", r.Items, r.Items)
		return false
	}
	c := k.call(op, k.svc)
	c.items, c.item = items, t.shape
	l := &ListCall{
		Cloud: r.file.Cloud, Service: r.file.Service, Op: op.Name, Headers: r.file.Headers, Regions: r.regions(),
		Scope: k.scope(), Account: k.scope() != scopeRegion,
		AbsentOn: r.AbsentOn, GoneOn: r.GoneOn, NotApplicable: slices.Concat(r.file.NotApplicable, r.NotApplicable),
	}
	if r.file.Limit != nil {
		l.Limit = *r.file.Limit
	}
	if len(r.GoneOn) > 0 && k.parent == nil {
		k.failf([]any{"gone_on"}, "gone_on says that a parent is gone: the kind is not listed for each of another")
	}
	pager, limit, size, errs := pagerOf(op, r.Page, true)
	for _, err := range errs {
		k.fail(err, "page")
	}
	l.Pager = pager
	k.pageTokens(c, pager)
	if (pager == nil || pager.untaken) && k.vendor.SayUnpaged && (r.Page == nil || r.Page.None == "") {
		k.failf([]any{"list"}, "%s knows no paging: say page: {none: why one call returns everything}", op.Name)
	}
	var harmless map[string]string
	if r.Page != nil {
		harmless = r.Page.Harmless
	}
	l.Partial, errs = k.vendor.Partiality.partialOf(op.Output, items, harmless)
	for _, err := range errs {
		k.fail(err, "page")
	}
	l.Parts = len(items) > 1 && items[0].Values
	if r.Located && !l.Parts && k.svc.Operations[k.vendor.Locations] == nil {
		k.failf([]any{"located"}, "%s has no operation (%s) that lists where it is: what is gone from a location would not be seen; leave located out", r.file.Service, cmp.Or(k.vendor.Locations, "Vendor.Locations"))
	}
	if l.Partial != nil && l.Partial.Scopes != "" && !r.Located {
		k.failf([]any{"items"}, "%s answers by location, each whole or not: say located: true, and region", op.Name)
	}
	variants := r.Inputs
	if len(variants) == 0 {
		variants = []map[string]any{nil}
	}
	for i, v := range variants {
		values := map[string]any{}
		if limit != "" {
			values[limit] = size
		}
		maps.Copy(values, r.Input)
		maps.Copy(values, v)
		in := compileInput(op, values, k.listVars, func(err error, path ...any) {
			if _, ok := v[fmt.Sprint(path[0])]; ok {
				k.fail(err, append([]any{"inputs", i}, path...)...)
			} else {
				k.fail(err, append([]any{"input"}, path...)...)
			}
		})
		k.required(op, values, "list")
		l.Inputs = append(l.Inputs, in)
	}
	l.Actions = k.permissions(k.raw.file, k.svc, op, "list")
	if places := k.svc.Operations[k.vendor.Locations]; r.Located && !l.Parts && places != nil {
		l.Actions = slices.Concat(l.Actions, k.permissions(k.raw.file, k.svc, places, "located"))
	}
	e.List = l
	e.Spec.Sources = append(e.Spec.Sources, normalize.Source{Call: op.Name, Format: k.vendor.format(k.svc), Wrap: k.vendor.wrap(k.svc, op), Items: items})
	if pager != nil {
		e.Spec.Sources[0].Tokens = pager.Paths()
	}
	return true
}

func (r *rawKind) scope() string { return cmp.Or(r.Scope, r.file.Scope) }

// scopeRegion is the scope of a call that is made in every region.
const scopeRegion = "region"

// scope is the kind's scope, or the vendor's default.
func (k *kindCompiler) scope() string { return cmp.Or(k.raw.scope(), k.vendor.Scopes[0]) }

// keyScope is within what ids of the kind are unique.
func (k *kindCompiler) keyScope() schema.KeyScope {
	if k.raw.KeyScope != "" {
		return schema.KeyScope(k.raw.KeyScope)
	}
	if k.scope() == scopeRegion {
		return schema.KeyRegion
	}
	return schema.KeyAccount
}

func (v *Vendor) scopeOK(scope string) error {
	switch {
	case scope == "" || slices.Contains(v.Scopes, scope):
		return nil
	case len(v.Scopes) == 2:
		return fmt.Errorf("scope: %q is neither %s nor %s", scope, v.Scopes[0], v.Scopes[1])
	}
	return fmt.Errorf("scope: %q is none of %s", scope, strings.Join(v.Scopes, ", "))
}

func (r *rawKind) regions() []string {
	if r.Regions != nil {
		return r.Regions
	}
	return r.file.Regions
}

// call adds a source.
func (k *kindCompiler) call(op *api.Operation, svc *api.Service) *call {
	c := &call{index: len(k.calls), op: op, svc: svc, tokens: map[string]bool{}, owned: map[*normalize.Shape]bool{}}
	c.shape = k.vendor.Normalize(svc, op)
	if t := tokenMember(op.Output); t != "" {
		c.tokens[t] = true
	}
	k.calls = append(k.calls, c)
	return c
}

func (k *kindCompiler) pageTokens(c *call, p *Pager) {
	if p == nil {
		return
	}
	for _, path := range p.Paths() {
		for _, s := range path {
			c.tokens[s.Member] = true
		}
	}
}

// required checks that the members the description requires are given.
func (k *kindCompiler) required(op *api.Operation, values map[string]any, path ...any) {
	if op.Input == nil {
		return
	}
	for _, name := range op.Input.Required {
		if m := op.Input.Member(name); m != nil && m.IdempotencyTok {
			continue
		}
		if _, ok := values[name]; !ok {
			k.failf(path, "%s requires the input member %s", op.Name, name)
		}
	}
}

// recurse compiles how the list is asked again for what it found.
func (k *kindCompiler) recurse() {
	if len(k.raw.Recurse) == 0 {
		return
	}
	if len(k.raw.Recurse) > 1 || len(k.entry.List.Inputs) > 1 {
		k.failf([]any{"recurse"}, "recurse takes one member of the input, and one input")
		return
	}
	for member, path := range k.raw.Recurse {
		v, err := k.itemValue(path)
		if err == nil && scalarType(v.shape) != schema.Text {
			err = fmt.Errorf("%s is a %s, not a text", path, v.shape.Type)
		}
		if m := k.calls[0].op.Input.Member(member); err == nil && (m == nil || m.Shape.Type != "string") {
			err = fmt.Errorf("%s has no text %q in its input%s", k.calls[0].op.Name, member, didYouMean(member, memberNames(k.calls[0].op.Input)))
		}
		if err != nil {
			k.fail(fmt.Errorf("recurse: %w", err), "recurse", member)
			return
		}
		k.entry.List.Recurse = &Recursion{Member: member, Entry: k.entry, Capture: k.capture(v)}
	}
}

// listVars resolves the templates of the list call's input.
func (k *kindCompiler) listVars(text string) (inputPart, error) {
	if p, ok := scopeVar(text); ok {
		return p, nil
	}
	e, err := parseExpr(text)
	if err != nil {
		return inputPart{}, err
	}
	if e.from != fromParent {
		return inputPart{}, fmt.Errorf("unknown variable {%s}: a list call knows account, region, partition%s", text, map[bool]string{true: " and parent"}[k.parent != nil])
	}
	return k.parentVar(e)
}

func scopeVar(text string) (inputPart, bool) {
	switch text {
	case "account":
		return inputPart{kind: varAccount}, true
	case "region":
		return inputPart{kind: varRegion}, true
	case "partition":
		return inputPart{kind: varPartition}, true
	}
	return inputPart{}, false
}

func (k *kindCompiler) parentVar(e expr) (inputPart, error) {
	v, err := k.parentValue(e)
	if err != nil {
		return inputPart{}, err
	}
	return inputPart{kind: varParent, index: v.parent - 1}, nil
}

// conditions compiles only and when.
func (k *kindCompiler) conditions() {
	for _, p := range sortedKeys(k.raw.Only) {
		if v, err := k.itemValue(p); err != nil {
			k.fail(err, "only", p)
		} else {
			k.entry.Only = append(k.entry.Only, Condition{k.capture(v), k.raw.Only[p], p})
		}
	}
	if len(k.raw.When) > 0 && k.parent == nil {
		k.failf([]any{"when"}, "when is about a parent: the kind is not listed for each of another")
		return
	}
	for _, p := range sortedKeys(k.raw.When) {
		e, err := parseExpr(strings.TrimPrefix(p, "parent."))
		var v value
		if err == nil {
			v, err = k.parentValue(e)
		}
		if err != nil {
			k.fail(err, "when", p)
			continue
		}
		k.entry.When = append(k.entry.When, Condition{v.parent - 1, k.raw.When[p], p})
	}
	if k.parent != nil {
		k.entry.Parent = k.parent.entry
	}
}
