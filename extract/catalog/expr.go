package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/normalize"
)

// expr is a parsed expression; resolving it against the descriptions makes a
// normalize.Expr of it.
type expr struct {
	text string
	// from is where it is read: anywhere, the list's item, the parent's item
	// or the detail named call.
	from       exprFrom
	call       string
	up         int
	tag        string
	header     string
	scopeVar   string // account, region or partition
	path       normalize.Path
	transforms []normalize.Transform
}

type exprFrom uint8

const (
	fromAnywhere exprFrom = iota
	fromItem
	fromParent
	fromCall
)

var callPrefix = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._]*:`)

// parseExpr reads an expression, in braces or without.
func parseExpr(text string) (expr, error) {
	e := expr{text: text}
	parts := splitPipes(unbrace(text))
	head := strings.TrimSpace(parts[0])
	for _, p := range parts[1:] {
		t, err := parseTransform(strings.TrimSpace(p))
		if err != nil {
			return e, err
		}
		e.transforms = append(e.transforms, t)
	}
	if _, ok := scopeVar(head); ok && strings.HasPrefix(strings.TrimSpace(text), "{") {
		e.scopeVar = head
		return e, nil
	}
	if name, ok := strings.CutPrefix(head, "tag:"); ok {
		if e.tag = name; name == "" {
			return e, fmt.Errorf("%q names no tag", text)
		}
		return e, nil
	}
	if c := callPrefix.FindString(head); c != "" && !strings.HasPrefix(head, "header:") {
		e.from, e.call = fromCall, strings.TrimSuffix(c, ":")
		head = head[len(c):]
	}
	if name, ok := strings.CutPrefix(head, "header:"); ok {
		if e.header = name; name == "" {
			return e, fmt.Errorf("%q names no header", text)
		}
		return e, nil
	}
	if e.from == fromAnywhere {
		for _, v := range []struct {
			name string
			from exprFrom
		}{{"item", fromItem}, {"parent", fromParent}} {
			if head == v.name {
				e.from, head = v.from, "."
				break
			}
			if rest, ok := strings.CutPrefix(head, v.name+"."); ok {
				e.from, head = v.from, rest
				break
			}
		}
	}
	for {
		rest, ok := strings.CutPrefix(head, "^")
		if !ok {
			break
		}
		e.up++
		head = strings.TrimPrefix(rest, ".")
	}
	var err error
	e.path, err = parsePath(head)
	return e, err
}

// unbrace takes the braces off a text that is one expression in braces.
func unbrace(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") && closing(s, 0) == len(s)-1 {
		return s[1 : len(s)-1]
	}
	return s
}

// closing is the index of the brace that closes the one at i, or -1.
func closing(s string, i int) int {
	depth := 0
	for j := i; j < len(s); j++ {
		switch s[j] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return j
			}
		}
	}
	return -1
}

// splitPipes splits at "|" outside of parentheses.
func splitPipes(s string) []string {
	var out []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '|':
			if depth <= 0 {
				out = append(out, s[from:i])
				from = i + 1
			}
		}
	}
	return append(out, s[from:])
}

// parsePath reads "A.B[].C{}"; "." and "" are the empty path.
func parsePath(s string) (normalize.Path, error) {
	s = strings.TrimSpace(s)
	if s == "" || s == "." {
		return nil, nil
	}
	var path normalize.Path
	for _, part := range splitPath(s) {
		name := part
		if rest, ok := strings.CutPrefix(part, `"`); ok {
			quoted, suffix, closed := strings.Cut(rest, `"`)
			if !closed || quoted == "" {
				return nil, fmt.Errorf("path %q: a quoted member is \"name\"", s)
			}
			steps, err := pathSteps(s, quoted, suffix)
			if err != nil {
				return nil, err
			}
			path = append(path, steps...)
			continue
		}
		if i := strings.IndexAny(part, "[{"); i >= 0 {
			name = part[:i]
		}
		suffix := part[len(name):]
		if name == "" && suffix == "" {
			return nil, fmt.Errorf("path %q has an empty step", s)
		}
		if strings.ContainsAny(name, " |(){}[]^\"") {
			return nil, fmt.Errorf("path %q: %q is no member name", s, name)
		}
		steps, err := pathSteps(s, name, suffix)
		if err != nil {
			return nil, err
		}
		path = append(path, steps...)
	}
	return path, nil
}

// pathSteps are the steps to a member and what its suffix leads to.
func pathSteps(path, name, suffix string) ([]normalize.Step, error) {
	var out []normalize.Step
	step := normalize.Step{Member: name}
	for first := true; suffix != "" || first; first = false {
		switch {
		case suffix == "":
		case strings.HasPrefix(suffix, "[]"):
			step.Each, suffix = true, suffix[2:]
		case strings.HasPrefix(suffix, "{}"):
			step.Values, suffix = true, suffix[2:]
		case strings.HasPrefix(suffix, "{key}"):
			step.Keys, suffix = true, suffix[5:]
		default:
			return nil, fmt.Errorf("path %q: %q is neither [], {} nor {key}", path, suffix)
		}
		out = append(out, step)
		step = normalize.Step{}
	}
	return out, nil
}

// splitPath splits at dots outside of quotes.
func splitPath(s string) []string {
	var out []string
	from, quoted := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '.' && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// pathText writes a path as the catalogue does.
func pathText(p normalize.Path) string {
	if len(p) == 0 {
		return "."
	}
	var b strings.Builder
	for i, s := range p {
		if i > 0 && s.Member != "" {
			b.WriteByte('.')
		}
		if strings.ContainsAny(s.Member, ".|(){}[]^ ") {
			b.WriteString(quote(s.Member))
		} else {
			b.WriteString(s.Member)
		}
		switch {
		case s.Each:
			b.WriteString("[]")
		case s.Values:
			b.WriteString("{}")
		case s.Keys:
			b.WriteString("{key}")
		}
	}
	return b.String()
}

var (
	transformOps = map[string]normalize.TransformOp{
		"after_last": normalize.AfterLast, "before_first": normalize.BeforeFirst, "before_last": normalize.BeforeLast,
		"starts_with": normalize.StartsWith, "contains": normalize.Contains,
		"strip_prefix": normalize.StripPrefix, "arn_part": normalize.ARNPart,
		"urldecode": normalize.URLDecode, "json": normalize.ParseJSON, "first": normalize.First,
		"split": normalize.Split, "lower": normalize.Lower,
		"full_name": normalize.FullName, "location": normalize.Location, "project": normalize.Project,
		"quantity": normalize.Quantity,
	}
	transformNames = sortedKeys(transformOps)
	arnParts       = []string{"partition", "service", "region", "account", "resource", "id"}
)

func parseTransform(s string) (normalize.Transform, error) {
	name, arg, hasArg := strings.Cut(s, "(")
	if hasArg {
		if !strings.HasSuffix(arg, ")") {
			return normalize.Transform{}, fmt.Errorf("transform %q lacks its closing parenthesis", s)
		}
		arg = strings.TrimSuffix(arg, ")")
	}
	op, ok := transformOps[name]
	if !ok {
		return normalize.Transform{}, fmt.Errorf("unknown transform %q%s", name, didYouMean(name, transformNames))
	}
	switch op {
	case normalize.AfterLast, normalize.BeforeFirst, normalize.BeforeLast, normalize.StripPrefix, normalize.Split,
		normalize.StartsWith, normalize.Contains:
		if arg == "" {
			return normalize.Transform{}, fmt.Errorf("transform %s needs an argument: %s(/)", name, name)
		}
	case normalize.ARNPart:
		if !slices.Contains(arnParts, arg) {
			return normalize.Transform{}, fmt.Errorf("arn_part(%s): the parts of an ARN are %s", arg, strings.Join(arnParts, ", "))
		}
	case normalize.FullName:
		if err := (normalize.Transform{Op: op, Arg: arg}).Check(); err != nil {
			return normalize.Transform{}, err
		}
	case normalize.ParseJSON:
	default:
		if hasArg {
			return normalize.Transform{}, fmt.Errorf("transform %s takes no argument", name)
		}
	}
	return normalize.Transform{Op: op, Arg: arg}, nil
}

func parseTransforms(s string) ([]normalize.Transform, error) {
	var out []normalize.Transform
	for _, p := range splitPipes(s) {
		t, err := parseTransform(strings.TrimSpace(p))
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// part of a template: literal text or what stands between braces.
type part struct {
	text  string
	brace bool
}

// parseTemplate splits a template into its parts.
func parseTemplate(s string) ([]part, error) {
	var out []part
	for s != "" {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			out = append(out, part{text: s})
			break
		}
		if i > 0 {
			out = append(out, part{text: s[:i]})
		}
		j := closing(s, i)
		if j < 0 {
			return nil, fmt.Errorf("template %q lacks a closing brace", s)
		}
		in := strings.TrimSpace(s[i+1 : j])
		if in == "" {
			return nil, fmt.Errorf("template %q has empty braces", s)
		}
		out = append(out, part{text: in, brace: true})
		s = s[j+1:]
	}
	return out, nil
}
