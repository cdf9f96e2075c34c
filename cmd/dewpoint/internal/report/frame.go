// Package report shows a sync to people: what is being read, what came of it,
// and what to do about what could not be read.
package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// Meter turns row counts into rates, smoothed over a few seconds. It is for
// one goroutine.
type Meter struct {
	total    rate
	services map[string]*rate
}

type rate struct {
	at    time.Duration
	rows  int64
	value float64 // rows a second
}

// smoothing is the time after which an old rate counts for a third.
const smoothing = 3 * time.Second

func (r *rate) take(at time.Duration, rows int64) float64 {
	dt := at - r.at
	if dt < 50*time.Millisecond {
		return r.value
	}
	now := float64(rows-r.rows) / dt.Seconds()
	w := min(1, float64(dt)/float64(smoothing))
	if r.at == 0 {
		w = 1
	}
	r.value += (now - r.value) * w
	r.at, r.rows = at, rows
	return r.value
}

// Take adds a snapshot and returns the rates of all and by service.
func (m *Meter) Take(s workflow.Snapshot) (float64, map[string]float64) {
	if m.services == nil {
		m.services = map[string]*rate{}
	}
	out := make(map[string]float64, len(s.Services))
	for _, v := range s.Services {
		r := m.services[v.Service]
		if r == nil {
			r = &rate{}
			m.services[v.Service] = r
		}
		out[v.Service] = r.take(s.Elapsed, v.Rows)
	}
	return m.total.take(s.Elapsed, s.Rows), out
}

// barWidth is how wide bars are on a screen.
func barWidth(c *term.Screen) int {
	switch {
	case c.Width == 0 || c.Width >= 100:
		return 16
	case c.Width >= 60:
		return 8
	}
	return 4
}

// Frame draws a snapshot as lines that fit the screen: one for the whole, one
// for each service that is being read or has incomplete scopes.
func Frame(c *term.Screen, s workflow.Snapshot, m *Meter) []string {
	total, rates := m.Take(s)
	lines := []string{head(c, s, total)}
	if s.Phase == "committing" || len(s.Services) == 0 {
		return lines
	}
	var show []workflow.ServiceProgress
	var done int
	for _, v := range s.Services {
		if v.Done < v.Tasks || v.Incomplete > 0 {
			show = append(show, v)
		} else {
			done++
		}
	}
	room := 1000
	if c.Height > 0 {
		room = max(3, c.Height-4)
	}
	hidden := 0
	if len(show) > room {
		// What has begun comes first, the rest waits out of sight.
		slices.SortStableFunc(show, func(a, b workflow.ServiceProgress) int { return weight(b) - weight(a) })
		hidden = len(show) - room
		show = show[:room]
		slices.SortStableFunc(show, func(a, b workflow.ServiceProgress) int { return strings.Compare(a.Service, b.Service) })
	}
	widths := []int{0, 0, 0, 0, 0, 0}
	right := []bool{false, false, true, true, true, false}
	keep := []bool{false, true, true, true, true, true}
	var cells [][]string
	for _, v := range show {
		incomplete := ""
		if v.Incomplete > 0 {
			incomplete = term.Count(int64(v.Incomplete)) + " incomplete"
		}
		rows := ""
		if v.Rows > 0 {
			rows = term.Plural(v.Rows, "row", "rows")
		}
		cells = append(cells, []string{
			v.Service, bar(c, v.Done, v.Tasks), fmt.Sprintf("%d/%d", v.Done, v.Tasks), rows,
			perSecond(rates[v.Service]), incomplete,
		})
	}
	for _, r := range cells {
		for i, t := range r {
			widths[i] = max(widths[i], term.Width(t))
		}
	}
	limit := c.Width
	if limit > 0 {
		limit -= 3
	}
	widths = term.Fit(widths, keep, limit)
	for _, r := range cells {
		if len(widths) == len(r) {
			r[5] = c.Yellow(r[5])
		}
		lines = append(lines, "  "+term.Line(r, widths, right))
	}
	var rest []string
	if hidden > 0 {
		rest = append(rest, fmt.Sprintf("%d more", hidden))
	}
	if done > 0 {
		rest = append(rest, term.Plural(int64(done), "service", "services")+" done")
	}
	if len(rest) > 0 {
		lines = append(lines, c.Dim("  "+strings.Join(rest, ", ")))
	}
	return lines
}

func weight(s workflow.ServiceProgress) int {
	switch {
	case s.Done < s.Tasks && s.Rows > 0:
		return 2
	case s.Done < s.Tasks:
		return 1
	}
	return 0
}

func head(c *term.Screen, s workflow.Snapshot, total float64) string {
	var parts []string
	switch {
	case s.Phase == "committing":
		parts = append(parts, "Committing "+term.Plural(s.Rows, "row", "rows"))
	case s.Tasks == 0:
		parts = append(parts, "Finding accounts and regions")
	default:
		parts = append(parts,
			fmt.Sprintf("Reading %s/%s lists", term.Count(int64(s.Done)), term.Count(int64(s.Tasks))),
			term.Plural(s.Rows, "row", "rows"), perSecond(total))
	}
	if s.Incomplete > 0 {
		parts = append(parts, term.Count(int64(s.Incomplete))+" incomplete")
	}
	parts = append(parts, clock(s.Elapsed))
	line := strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
	if c.Width > 0 {
		line = term.Snip(line, c.Width-1)
	}
	return c.Bold(line)
}

func bar(c *term.Screen, done, all int) string {
	n, width := 0, barWidth(c)
	if all > 0 {
		n = done * width / all
	}
	return c.Cyan(strings.Repeat("━", n)) + c.Dim(strings.Repeat("─", width-n))
}

func perSecond(v float64) string {
	if v < 0.5 {
		return ""
	}
	return term.Count(int64(v+0.5)) + "/s"
}

// clock writes a running time: 0:42, 12:05, 1:02:03.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
