package awsfake

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// silent are operations that give no token unless a limit is sent: what is
// beyond the first page is lost without a word.
var silent = map[string]bool{"sqs.ListQueues": true, "sqs.ListDeadLetterSourceQueues": true}

// tokenNames and limitNames are how operations call what pages them, for
// those of which the description does not say it.
var (
	tokenNames = [][2]string{
		{"NextToken", "NextToken"},
		{"nextToken", "nextToken"},
		{"NextMarker", "NextMarker"},
		{"Marker", "NextMarker"},
		{"Marker", "Marker"},
		{"marker", "marker"},
		{"PageToken", "NextPageToken"},
		{"pageToken", "nextPageToken"},
		{"NextPageToken", "NextPageToken"},
		{"nextPageToken", "nextPageToken"},
		{"ContinuationToken", "ContinuationToken"},
		{"ContinuationToken", "NextContinuationToken"},
		{"Token", "NextToken"},
		{"token", "nextToken"},
		{"position", "position"},
	}
	limitNames = []string{"MaxResults", "maxResults", "Limit", "limit", "MaxItems", "MaxRecords", "PageSize", "pageSize", "MaxKeys"}
	moreNames  = []string{"IsTruncated", "Truncated", "HasMore", "hasMore", "HasMoreResults"}
)

// pagerOf returns the pager of an operation, made from its members' names
// where the description has none; nil if it does not page.
func pagerOf(op *api.Operation) *api.Pager {
	if op.Pager != nil {
		return op.Pager
	}
	for _, t := range tokenNames {
		if op.Input.Member(t[0]) == nil || op.Output.Member(t[1]) == nil {
			continue
		}
		p := &api.Pager{InputTokens: []string{t[0]}, OutputTokens: []string{t[1]}}
		for _, n := range limitNames {
			if op.Input.Member(n) != nil {
				p.Limit = n
				break
			}
		}
		for _, n := range moreNames {
			if op.Output.Member(n) != nil {
				p.More = n
				break
			}
		}
		if l := listPath(op); l != "" {
			p.Results = []string{l}
		}
		return p
	}
	return nil
}

// listPath leads to the first list of an output, at most one structure deep.
func listPath(op *api.Operation) string {
	if op.Output == nil {
		return ""
	}
	if p := op.Pager; p != nil && len(p.Results) > 0 {
		return p.Results[0]
	}
	for i := range op.Output.Members {
		if m := &op.Output.Members[i]; m.Shape.Type == "list" && m.Location == "" {
			return m.Name
		}
	}
	for i := range op.Output.Members {
		m := &op.Output.Members[i]
		for j := range m.Shape.Members {
			if m.Shape.Members[j].Shape.Type == "list" {
				return m.Name + "." + m.Shape.Members[j].Name
			}
		}
	}
	return ""
}

// page makes one page of a list.
func (s *Server) page(r *Request, l List, f *Fault) (map[string]any, error) {
	l = l.matching(r)
	path := l.Path
	if path == "" {
		path = listPath(r.op)
	}
	out := maps.Clone(l.With)
	if out == nil {
		out = map[string]any{}
	}
	p := pagerOf(r.op)
	if p == nil {
		items := []any{}
		for i := range l.size() {
			items = append(items, l.at(i))
		}
		fill(r.op, out, path, items)
		return out, nil
	}
	size, limited, err := s.pageSize(r, p, l.size())
	if err != nil {
		return nil, err
	}
	from := 0
	if f == nil || f.Kind != RepeatToken {
		if from, err = offset(r, p, l, path); err != nil {
			return nil, err
		}
	}
	to := min(from+size, l.size())
	items := []any{}
	for i := from; i < to; i++ {
		items = append(items, l.at(i))
	}
	fill(r.op, out, path, items)
	more := to < l.size()
	if silent[r.Op()] && !limited {
		return out, nil
	}
	if f != nil && (f.Kind == RepeatToken || f.Kind == MissingToken) {
		more = true
	}
	if p.More != "" {
		put(out, p.More, more)
	}
	if !more || f != nil && f.Kind == MissingToken {
		return out, nil
	}
	for i, v := range tokens(r.op, p, to) {
		if v != nil && !strings.Contains(p.OutputTokens[i], "[-1]") {
			put(out, p.OutputTokens[i], v)
		}
	}
	return out, nil
}

// fill puts the items of a page into the output, and their number beside
// them where the service counts them.
func fill(op *api.Operation, out map[string]any, path string, items []any) {
	put(out, path, items)
	if outer, _, ok := strings.Cut(path, "."); ok {
		if m := op.Output.Member(outer); m != nil && m.Shape.Member("Quantity") != nil {
			put(out, outer+".Quantity", len(items))
		}
	}
}

// pageSize returns how many items a page has, and whether the request
// limits it.
func (s *Server) pageSize(r *Request, p *api.Pager, all int) (size int, limited bool, err error) {
	size = max(all, 1)
	if s.opts.PageSize > 0 {
		size = s.opts.PageSize
	}
	if p.Limit == "" || r.Input[p.Limit] == nil {
		return size, false, nil
	}
	n, err := strconv.Atoi(r.Text(p.Limit))
	m := r.op.Input.Member(p.Limit)
	numeric := m.Shape.Type != "string"
	if err != nil || n < 1 || numeric && (m.Shape.Max != nil && float64(n) > *m.Shape.Max || m.Shape.Min != nil && float64(n) < *m.Shape.Min) {
		return 0, true, &Error{Code: "ValidationException", Message: fmt.Sprintf("%s is %q, which is out of range", p.Limit, r.Text(p.Limit)), Status: 400}
	}
	if r.Service == "ec2" {
		for k, v := range r.Input {
			if ids, ok := v.([]any); ok && len(ids) > 0 && strings.HasSuffix(k, "Ids") && k != "OwnerIds" {
				return 0, true, &Error{Code: "InvalidParameterCombination", Message: "the parameter " + k + " cannot be used with the parameter " + p.Limit, Status: 400}
			}
		}
	}
	return min(size, n), true, nil
}

// tokens are the parts of the token for an offset; nil ones are not sent.
func tokens(op *api.Operation, p *api.Pager, offset int) []any {
	parts := make([]any, len(p.InputTokens))
	for i, name := range p.InputTokens {
		m := op.Input.Member(name)
		switch {
		case m == nil:
		case m.Shape.Type == "integer" || m.Shape.Type == "long":
			parts[i] = offset
		case len(m.Shape.Enum) > 0:
			parts[i] = m.Shape.Enum[offset%len(m.Shape.Enum)]
		case i == 0:
			h := fnv.New32a()
			fmt.Fprint(h, op.Name, offset)
			text := fmt.Sprintf("t%d+/%x==", offset, h.Sum32())
			if m.Shape.Min != nil && len(text) < int(*m.Shape.Min) {
				text += strings.Repeat("=", int(*m.Shape.Min)-len(text))
			}
			parts[i] = text
		case i == len(p.InputTokens)-1 && offset%2 == 1:
		default:
			parts[i] = fmt.Sprintf("part%d of %d", i+1, offset)
		}
	}
	return parts
}

// offset finds the offset that the request's tokens stand for. All parts
// must be as they were given.
func offset(r *Request, p *api.Pager, l List, path string) (int, error) {
	given := make([]any, len(p.InputTokens))
	for i, name := range p.InputTokens {
		given[i] = r.Input[name]
	}
	if !slices.ContainsFunc(given, func(v any) bool { return v != nil }) {
		return 0, nil
	}
	bad := &Error{Code: "InvalidNextToken", Message: fmt.Sprintf("%v %v is no token", p.InputTokens, given), Status: 400}
	if last := p.OutputTokens[0]; strings.Contains(last, "[-1]") {
		_, key, _ := strings.Cut(last, "[-1].")
		for i := range l.size() {
			if v := values(l.at(i), key); len(v) == 1 && fmt.Sprint(v[0]) == fmt.Sprint(given[0]) {
				return i + 1, nil
			}
		}
		return 0, bad
	}
	digits := strings.TrimLeft(fmt.Sprint(given[0]), "t")
	if i := strings.IndexByte(digits, '+'); i >= 0 {
		digits = digits[:i]
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0, bad
	}
	for i, want := range tokens(r.op, p, n) {
		if (want == nil) != (given[i] == nil) || want != nil && fmt.Sprint(want) != fmt.Sprint(given[i]) {
			return 0, bad
		}
	}
	if n > l.size() {
		return 0, bad
	}
	return n, nil
}
