package catalog

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// Pager says how the answers of a call are continued.
type Pager struct {
	// InputTokens are the members of the input that take the tokens, as paths.
	InputTokens []string
	// More says that behind the tokens' values stands that of a boolean which
	// alone decides whether there is another page.
	More bool

	outputs []normalize.Path
	more    normalize.Path
	// untaken says that the output has a token that the input does not take:
	// an answer with one is cut.
	untaken bool
	shapes  []*api.Shape
}

// Paths lead from the output to the values that Next takes, in their order.
func (p *Pager) Paths() []normalize.Path {
	out := append([]normalize.Path(nil), p.outputs...)
	if p.More {
		out = append(out, p.more)
	}
	return out
}

// Next puts the tokens of a page into the input for the next one. It is false
// at the explicit end; an answer that is cut without a token, or repeats the
// tokens it was asked with, is an error.
func (p *Pager) Next(input map[string]any, tokens []string) (bool, error) {
	if len(tokens) != len(p.Paths()) {
		return false, fmt.Errorf("page has %d tokens, not %d", len(tokens), len(p.Paths()))
	}
	if p.untaken {
		if tokens[0] != "" {
			return false, fmt.Errorf("the answer is cut: it has a token (%s) that the call does not take", pathText(p.outputs[0]))
		}
		return false, nil
	}
	n := len(p.InputTokens)
	some := false
	for _, t := range tokens[:n] {
		some = some || t != ""
	}
	if p.More {
		if tokens[n] != "true" {
			return false, nil
		}
		if !some {
			return false, fmt.Errorf("the answer says that there is more but gives no token (%s)", pathText(p.outputs[0]))
		}
	}
	if !some {
		return false, nil
	}
	same := true
	for i, t := range tokens[:n] {
		v, err := coerce(t, p.shapes[i])
		if err != nil {
			return false, fmt.Errorf("token %s: %w", p.InputTokens[i], err)
		}
		if setToken(input, p.InputTokens[i], v, t == "") {
			same = false
		}
	}
	if same {
		return false, fmt.Errorf("the answer repeats the token it was asked with (%s)", p.InputTokens[0])
	}
	return true, nil
}

// setToken sets or removes a member and says whether that changed anything.
func setToken(input map[string]any, path string, v any, remove bool) bool {
	for {
		head, rest, nested := strings.Cut(path, ".")
		if !nested {
			break
		}
		sub, ok := input[head].(map[string]any)
		if !ok {
			sub = map[string]any{}
			input[head] = sub
		}
		input, path = sub, rest
	}
	old, had := input[path]
	if remove {
		delete(input, path)
		return had
	}
	input[path] = v
	return !had || old != v
}

var (
	tokenName = regexp.MustCompile(`(?i)^(next|pagination|page|continuation|nextpage|nextcontinuation|start|starting)_?(token|marker)$|^(marker|nextmarker|cursor|nextcursor|position|nextkey|nexttoken|lastevaluated\w+|exclusivestart\w+|paginationtoken|nextpageid)$`)
	nextToken = regexp.MustCompile(`(?i)(^|\.)next_?(page)?_?token$`)
	limitName = regexp.MustCompile(`(?i)^(maxresults|maxitems|limit|pagesize|maxrecords|maxkeys|itemsperpage|maxresultsperpage)$`)
)

// pagerOf resolves how a call is paged; nil if one call returns everything.
// limit is the member for the page size with the value to send, "" for none.
func pagerOf(op *api.Operation, page *Page, list bool) (p *Pager, limit string, size any, errs []error) {
	if page == nil {
		page = &Page{}
	}
	var in, out []string
	var more string
	if d := op.Pager; d != nil && page.None == "" {
		in, out, more, limit = d.InputTokens, d.OutputTokens, d.More, d.Limit
	}
	if page.None != "" && (len(page.Token) > 0 || page.More != "") {
		errs = append(errs, fmt.Errorf("page has none as well as token or more"))
	}
	prefix := ""
	if page.Result != "" {
		prefix = page.Result + "."
	}
	if len(page.Token) > 0 {
		in, out, more = nil, nil, ""
		for _, k := range sortedKeys(page.Token) {
			in, out = append(in, k), append(out, prefix+page.Token[k])
		}
	}
	if page.More != "" {
		more = prefix + page.More
	}
	if page.Limit != "" {
		limit = page.Limit
	}
	if limit == "" && list && (len(in) > 0 || page.Size > 0) {
		limit = limitMember(op.Input)
	}
	if limit != "" && list {
		var err error
		if size, err = limitSize(op, limit, page.Size); err != nil {
			errs = append(errs, err)
		}
	}
	if size == nil {
		limit = ""
	}
	if len(in) == 0 {
		if page.None == "" {
			if i, o := tokenMember(op.Input), tokenPath(op.Output); i != "" && o != "" {
				errs = append(errs, fmt.Errorf("%s takes %s and returns %s but nothing pages it: say page: {token: {%s: %s}}, or page: {none: why}", op.Name, i, o, i, o))
			}
		}
		if o := tokenPath(op.Output); list && nextToken.MatchString(o) && tokenMember(op.Input) == "" {
			if path, err := parsePath(o); err == nil {
				return &Pager{outputs: []normalize.Path{path}, untaken: true}, limit, size, errs
			}
		}
		return nil, limit, size, errs
	}
	p = &Pager{InputTokens: in, More: more != ""}
	for i, name := range in {
		_, shape, err := member(op.Input, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("page token: input of %s: %w", op.Name, err))
		}
		p.shapes = append(p.shapes, shape)
		path, err := parsePath(out[i])
		if err == nil {
			_, err = walk(op.Output, path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("page token: output of %s: %w", op.Name, err))
		}
		p.outputs = append(p.outputs, path)
	}
	if p.More {
		path, err := parsePath(more)
		if err == nil {
			_, err = walk(op.Output, path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("page more: output of %s: %w", op.Name, err))
		}
		p.more = path
	}
	return p, limit, size, errs
}

func limitMember(in *api.Shape) string {
	if in != nil {
		for _, m := range in.Members {
			if limitName.MatchString(m.Name) && m.Shape.Type != "structure" {
				return m.Name
			}
		}
	}
	return ""
}

// limitSize is the value for a limit member: the one given, or the largest
// that the description allows; nil where it does not say.
func limitSize(op *api.Operation, name string, size int) (any, error) {
	m := op.Input.Member(name)
	if m == nil {
		_, _, err := member(op.Input, name)
		return nil, fmt.Errorf("page limit: input of %s: %w", op.Name, err)
	}
	switch m.Shape.Type {
	case "integer", "long", "short":
		if m.Shape.Max != nil {
			if top := int(*m.Shape.Max); size > top {
				return nil, fmt.Errorf("page size %d is more than %s of %s takes (%d)", size, name, op.Name, top)
			} else if size == 0 {
				size = top
			}
		}
		if size > 0 {
			return int64(size), nil
		}
	case "string":
		if size > 0 {
			return strconv.Itoa(size), nil
		}
	default:
		return nil, fmt.Errorf("page limit: %s of %s is a %s", name, op.Name, m.Shape.Type)
	}
	return nil, nil
}

func tokenMember(in *api.Shape) string {
	if in != nil {
		for _, m := range in.Members {
			if tokenName.MatchString(m.Name) && m.Shape.Type == "string" {
				return m.Name
			}
		}
	}
	return ""
}

// tokenPath finds what looks like a token in an output or in a structure of it.
func tokenPath(out *api.Shape) string {
	if out == nil {
		return ""
	}
	if t := tokenMember(out); t != "" {
		return t
	}
	for _, m := range out.Members {
		if m.Shape.Type == "structure" {
			if t := tokenMember(m.Shape); t != "" {
				return m.Name + "." + t
			}
		}
	}
	return ""
}
