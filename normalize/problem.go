package normalize

import "github.com/dewpoint-data/dewpoint/schema"

// Codes of the problems that documents have: a time that is none, a number
// that is none or does not fit, a value of another type than the
// description's, a tag without a key or twice, a text with characters that no
// text may have, an item without an id.
const (
	problemTag = "tag"
	problemID  = "id"
)

type problem struct {
	src    int
	col    int32 // -1: of no column
	code   string
	count  int64
	sample string
}

// problemList counts problems. Those of a page become final with its rows.
type problemList struct {
	final, open []problem
}

func (w *walker) problem(col int32, code string, sample []byte) {
	w.problems.open = addProblem(w.problems.open, w.src, col, code, 1, func() string {
		t := token{b: sample, typ: tokXML, high: true}
		return clip(w.text(&t))
	})
}

func addProblem(list []problem, src int, col int32, code string, n int64, sample func() string) []problem {
	for i := range list {
		p := &list[i]
		if p.src == src && p.col == col && p.code == code {
			p.count += n
			return list
		}
	}
	return append(list, problem{src: src, col: col, code: code, count: n, sample: sample()})
}

// keep makes the open problems final.
func (l *problemList) keep() {
	for _, p := range l.open {
		l.final = addProblem(l.final, p.src, p.col, p.code, p.count, func() string { return p.sample })
	}
	l.open = l.open[:0]
}

// take returns the final problems and forgets them.
func (w *walker) takeProblems(o *Origin) []schema.Problem {
	if len(w.problems.final) == 0 {
		return nil
	}
	out := make([]schema.Problem, 0, len(w.problems.final))
	for _, p := range w.problems.final {
		s := schema.Problem{
			Kind: w.plan.spec.Kind.Name, Account: o.Scope.Account, Region: o.Scope.Region,
			Call: w.plan.spec.Sources[p.src].Call, Code: p.code, Count: p.count, Sample: p.sample,
		}
		if p.col >= 0 {
			s.Column = w.plan.columns[p.col].Name
		}
		out = append(out, s)
	}
	w.problems.final = w.problems.final[:0]
	return out
}
