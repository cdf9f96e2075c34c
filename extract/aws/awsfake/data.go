package awsfake

import (
	"fmt"
	"maps"
	"strings"

	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// Place limits data to an account and a region; empty is any.
type Place struct{ Account, Region string }

// Handler answers a call with the output's members by name. An *Error is
// sent in the service's protocol. Values are strings, booleans, numbers,
// time.Time, []byte, slices and maps with string keys; a nil value is absent,
// an empty slice is an empty list.
type Handler func(r *Request) (map[string]any, error)

// ListHandler answers a call with a list, which the server pages.
type ListHandler func(r *Request) (List, error)

// List is what a list call returns over all its pages.
type List struct {
	// Items are elements of the list, in member names.
	Items []any
	// Len and At make the items on demand, instead of Items.
	Len int
	At  func(i int) any
	// Path leads from the output to the list: "DistributionList.Items".
	// Default is what the pager calls the result, or else the output's first list.
	Path string
	// With are further members of each page's output.
	With map[string]any
	// Match keeps the items that the request asks for: input member -> path
	// in the item, e.g. InstanceIds -> Instances[].InstanceId. Members that
	// are not in the input keep all.
	Match map[string]string
}

// answer is what is registered for an operation.
type answer struct {
	place Place
	op    string
	one   Handler
	list  ListHandler
}

// Put says what a list call returns. What is said of a certain account or
// region counts before what is said of any, and later before earlier.
func (s *Server) Put(p Place, op string, items ...map[string]any) {
	l := List{Items: make([]any, len(items))}
	for i, it := range items {
		l.Items[i] = it
	}
	s.PutList(p, op, l)
}

// PutList says what a list call returns, in detail.
func (s *Server) PutList(p Place, op string, l List) {
	s.HandleList(p, op, func(*Request) (List, error) { return l, nil })
}

// HandleList answers a list call.
func (s *Server) HandleList(p Place, op string, h ListHandler) {
	s.register(answer{place: p, op: op, list: h})
}

// Handle answers a call.
func (s *Server) Handle(p Place, op string, h Handler) {
	s.register(answer{place: p, op: op, one: h})
}

func (s *Server) register(a answer) {
	service, name, _ := strings.Cut(a.op, ".")
	svc, err := awsapi.Lookup(service)
	if err == nil {
		_, err = svc.Operation(name)
	}
	if err != nil {
		panic("awsfake: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, a)
}

// knows says whether something was said of an operation.
func (s *Server) knows(op string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.answers {
		if a.op == op {
			return true
		}
	}
	return false
}

// find returns the answer for a request.
func (s *Server) find(r *Request) (found answer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for _, a := range s.answers {
		if a.op != r.Op() || a.place.Account != "" && a.place.Account != r.Account || a.place.Region != "" && a.place.Region != r.Region {
			continue
		}
		score := 0
		if a.place.Account != "" {
			score += 2
		}
		if a.place.Region != "" {
			score++
		}
		if score >= best {
			found, best, ok = a, score, true
		}
	}
	return found, ok
}

// output makes the output of a call.
func (s *Server) output(r *Request, f *Fault) (map[string]any, error) {
	a, ok := s.find(r)
	switch {
	case ok && a.one != nil:
		return a.one(r)
	case ok:
		l, err := a.list(r)
		if err != nil {
			return nil, err
		}
		return s.page(r, l, f)
	}
	lists := hasVerb(r.Operation) && (pagerOf(r.op) != nil || listPath(r.op) != "")
	if lists && !s.opts.Strict {
		return s.page(r, List{}, f)
	}
	if r.op.Output == nil || len(r.op.Output.Members) == 0 {
		return map[string]any{}, nil
	}
	s.complain("%s: no data in account %s, region %s", r.Op(), r.Account, r.Region)
	return nil, &Error{Code: "NotImplemented", Message: "awsfake has no data for " + r.Op(), Status: 400}
}

func hasVerb(op string) bool {
	return strings.HasPrefix(op, "List") || strings.HasPrefix(op, "Describe") || strings.HasPrefix(op, "Get") || strings.HasPrefix(op, "Search")
}

// matching keeps the items of a list that the request asks for.
func (l List) matching(r *Request) List {
	for member, path := range l.Match {
		want, ok := r.Input[member]
		if !ok {
			continue
		}
		asked := map[string]bool{}
		if many, ok := want.([]any); ok {
			for _, w := range many {
				asked[fmt.Sprint(w)] = true
			}
		} else {
			asked[fmt.Sprint(want)] = true
		}
		var kept []any
		for i := range l.size() {
			it := l.at(i)
			for _, v := range values(it, path) {
				if asked[fmt.Sprint(v)] {
					kept = append(kept, it)
					break
				}
			}
		}
		l.Items, l.Len, l.At = kept, 0, nil
	}
	return l
}

func (l List) size() int {
	if l.At != nil {
		return l.Len
	}
	return len(l.Items)
}

func (l List) at(i int) any {
	if l.At != nil {
		return l.At(i)
	}
	return l.Items[i]
}

// values follows a path: "A.B", "A[].B".
func values(v any, path string) []any {
	if path == "" || path == "." {
		return []any{v}
	}
	head, rest, _ := strings.Cut(path, ".")
	name, each := strings.CutSuffix(head, "[]")
	m, ok := plain(v).(map[string]any)
	if !ok || m[name] == nil {
		return nil
	}
	if !each {
		return values(m[name], rest)
	}
	var out []any
	l, _ := plain(m[name]).([]any)
	for _, x := range l {
		out = append(out, values(x, rest)...)
	}
	return out
}

// put sets the value at a path of nested structures.
func put(out map[string]any, path string, v any) {
	for {
		head, rest, more := strings.Cut(path, ".")
		if !more {
			out[head] = v
			return
		}
		next, ok := out[head].(map[string]any)
		if ok {
			next = maps.Clone(next)
		} else {
			next = map[string]any{}
		}
		out[head] = next
		out, path = next, rest
	}
}
