package report

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// Options say how a report is printed.
type Options struct {
	Lookup Lookup
	// Verbose shows kinds without rows, all kinds and places of incomplete
	// scopes, and problems with values.
	Verbose bool
	// Name shortens the URL of a sink, nil does not.
	Name func(url string) string
	// Query is a command to go on with, empty for none.
	Query string
}

// Outcome is complete, partial or failed.
func Outcome(r *workflow.Report) string {
	switch {
	case r.Complete():
		return "complete"
	case r.Committed():
		return "partial"
	}
	return "failed"
}

// Print writes what came of a sync.
func Print(s *term.Screen, r *workflow.Report, o Options) error {
	if o.Name == nil {
		o.Name = func(url string) string { return url }
	}
	p := printer{s: s, r: r, o: o}
	for i, sink := range r.Sinks {
		if i > 0 {
			p.line("")
		}
		p.sink(sink)
	}
	p.groups(fmt.Sprintf("Incomplete: %s of %s. Their rows stay as the last complete sync left them.",
		term.Plural(int64(len(r.Incomplete)), "scope", "scopes"), term.Count(p.scopes())),
		Incomplete(r.Incomplete, o.Lookup))
	p.groups("Not read: details of some rows, whose columns keep their old values and are named in _unread.",
		Unread(r.Problems, o.Lookup))
	p.values()
	p.close()
	return p.err
}

type printer struct {
	s   *term.Screen
	r   *workflow.Report
	o   Options
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.s.Out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

// wrap writes a text in lines that fit the screen.
func (p *printer) wrap(indent int, t string) {
	width := p.s.Width
	if width > 0 {
		width = max(20, min(width, 110)-indent-1)
	}
	lead := strings.Repeat(" ", indent)
	if strings.HasPrefix(t, "  ") { // a command: never broken
		p.line("%s%s", lead, t)
		return
	}
	for _, l := range term.Wrap(t, width) {
		p.line("%s%s", lead, l)
	}
}

func (p *printer) scopes() int64 {
	var n int64
	for _, c := range p.r.Scopes {
		n += c
	}
	return n
}

func (p *printer) sink(k workflow.SinkReport) {
	if k.Err != nil {
		how := "Not written: "
		var unknown *sinks.CommitUnknownError
		if errors.As(k.Err, &unknown) {
			how = "Not known to be written: "
		}
		text := term.Clean(k.Err.Error())
		if !strings.Contains(text, k.URL) {
			text = p.o.Name(k.URL) + ": " + text
		}
		p.wrap(0, p.s.Red(how)+text)
		return
	}
	t := term.NewTable("KIND", ">ROWS", ">NEW", ">CHANGED", ">GONE")
	var sum sinks.KindSummary
	shown, unchanged, same := 0, 0, int64(0)
	fold := !p.o.Verbose && untouched(k.Summary.Kinds) > most
	for _, v := range sorted(k.Summary.Kinds) {
		sum.Rows += v.Rows
		sum.New += v.New
		sum.Changed += v.Changed
		sum.Gone += v.Gone
		if v.Rows+v.New+v.Changed+v.Gone == 0 && !p.o.Verbose {
			continue
		}
		if v.Rows > 0 {
			shown++
		}
		if fold && v.New+v.Changed+v.Gone == 0 {
			unchanged++
			same += v.Rows
			continue
		}
		t.Row(v.Kind, term.Count(v.Rows), count(v.New), count(v.Changed), count(v.Gone))
	}
	if unchanged > 0 {
		t.Row(plural(unchanged, "kind", "kinds")+" unchanged", term.Count(same), count(0), count(0), count(0))
	}
	if t.Len() > 0 {
		t.Row("total", term.Count(sum.Rows), count(sum.New), count(sum.Changed), count(sum.Gone))
		p.err = cmp.Or(p.err, t.Write(p.s))
		p.line("")
	}
	size := ""
	if k.Summary.Bytes > 0 {
		size = " (" + term.Bytes(k.Summary.Bytes) + ")"
	}
	p.wrap(0, fmt.Sprintf("%s and %s of %s in %s%s",
		term.Plural(sum.Rows, "row", "rows"), term.Plural(k.Summary.Edges, "edge", "edges"),
		term.Plural(int64(shown), "kind", "kinds"), p.o.Name(k.URL), size))
	for _, n := range k.Summary.Notices {
		p.wrap(0, p.s.Yellow("Beside it: ")+term.Clean(n))
	}
}

// count leaves zeros out: what changed stands out.
// most is how many kinds without a change are shown by their names.
const most = 5

// untouched is the number of kinds that have rows and no change.
func untouched(kinds []sinks.KindSummary) int {
	n := 0
	for _, v := range kinds {
		if v.Rows > 0 && v.New+v.Changed+v.Gone == 0 {
			n++
		}
	}
	return n
}

func count(n int64) string {
	if n == 0 {
		return "."
	}
	return term.Count(n)
}

func sorted(kinds []sinks.KindSummary) []sinks.KindSummary {
	return slices.SortedFunc(slices.Values(kinds), func(a, b sinks.KindSummary) int { return cmp.Compare(a.Kind, b.Kind) })
}

func (p *printer) groups(title string, groups []Group) {
	if len(groups) == 0 {
		return
	}
	p.line("")
	p.wrap(0, p.s.Yellow(title))
	most := 3
	if p.o.Verbose {
		most = 1 << 20
	}
	hidden := 0
	if len(groups) > 20 && !p.o.Verbose {
		hidden, groups = len(groups)-20, groups[:20]
	}
	groups = Fold(groups)
	defer func() {
		if hidden > 0 {
			p.line("")
			p.line("  and %s more: -v shows all", plural(hidden, "reason", "reasons"))
		}
	}()
	for _, g := range groups {
		p.line("")
		what := "scope"
		if g.Detail {
			what = "row"
		}
		p.line("  %s  %s  %s", p.s.Bold(strings.TrimSpace(g.Service+" "+g.Call)), g.Code,
			p.s.Dim(term.Plural(g.Count, what, what+"s")))
		kinds := some(g.Kinds, most)
		if at := places(g.Places, most); at != "" {
			kinds = strings.TrimPrefix(kinds+": "+at, ": ")
		}
		p.wrap(4, kinds)
		if g.Error != "" {
			p.wrap(4, term.Clean(g.Error))
		}
		for _, a := range g.Advice {
			p.wrap(4, a)
		}
	}
}

// values names problems with values in one line, or all of them if verbose.
func (p *printer) values() {
	var n int64
	for _, v := range p.r.Problems {
		if _, ok := valueCodes[v.Code]; ok {
			n += v.Count
		}
	}
	if n == 0 {
		return
	}
	p.line("")
	if !p.o.Verbose {
		p.wrap(0, p.s.Yellow(term.Plural(n, "odd value", "odd values"))+` in the answers: dewpoint query "SELECT * FROM problems"`)
		return
	}
	p.line("%s", p.s.Yellow("Odd values in the answers"))
	for _, v := range p.r.Problems {
		if text, ok := valueCodes[v.Code]; ok {
			p.wrap(2, fmt.Sprintf("%s.%s: %s %s, such as %q", v.Kind, v.Column, term.Count(v.Count), text, v.Sample))
		}
	}
}

func (p *printer) close() {
	p.line("")
	how := map[string]string{
		"complete": p.s.Green("Complete"), "partial": p.s.Yellow("Partial"), "failed": p.s.Red("Failed"),
	}[Outcome(p.r)]
	if p.r.Interrupted {
		how += ", interrupted"
	}
	took := ""
	if !p.r.FinishedAt.IsZero() {
		took = " in " + term.Duration(p.r.FinishedAt.Sub(p.r.StartedAt))
	}
	if n, all := p.unwritten(); n > 0 && n < all {
		how += fmt.Sprintf(", %d of %d sinks not written", n, all)
	}
	p.line("%s: %s by %s%s", how, term.Plural(p.r.Rows, "row read", "rows read"), term.Plural(p.r.Calls, "call", "calls"), took)
	if p.o.Query != "" {
		p.line("")
		p.line("Next: %s", p.s.Cyan(p.o.Query))
	}
}

func (p *printer) unwritten() (n, all int) {
	for _, k := range p.r.Sinks {
		if k.Err != nil {
			n++
		}
	}
	return n, len(p.r.Sinks)
}

// Log logs what came of a sync: one line for each reason of incompleteness,
// one for each sink, one for the whole.
func Log(log *slog.Logger, r *workflow.Report, lookup Lookup) {
	for _, g := range Incomplete(r.Incomplete, lookup) {
		log.Warn("incomplete", "reason", g)
	}
	for _, g := range Unread(r.Problems, lookup) {
		log.Warn("unread", "reason", g)
	}
	for _, k := range r.Sinks {
		if k.Err != nil {
			log.Error("not written", "sink", k.URL, "error", k.Err.Error())
			continue
		}
		kinds := map[string]map[string]int64{}
		for _, v := range k.Summary.Kinds {
			if v.Rows+v.New+v.Changed+v.Gone > 0 {
				kinds[v.Kind] = map[string]int64{
					"rows": v.Rows, "new": v.New, "changed": v.Changed, "gone": v.Gone, "unread": v.Unread,
				}
			}
		}
		for _, n := range k.Summary.Notices {
			log.Warn("beside the commit", "sink", k.URL, "notice", n)
		}
		log.Info("written", "sink", k.URL, "edges", k.Summary.Edges, "bytes", k.Summary.Bytes, "kinds", kinds)
	}
	scopes := map[schema.State]int64{}
	for k, v := range r.Scopes {
		scopes[k] = v
	}
	log.Info("sync", "id", r.ID.String(), "outcome", Outcome(r), "interrupted", r.Interrupted, "rows", r.Rows,
		"calls", r.Calls, "scopes", scopes, "seconds", r.FinishedAt.Sub(r.StartedAt).Seconds())
}
