package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// Live redraws the progress of a sync at the bottom of a terminal. What is
// written to it meanwhile, such as log lines, appears above.
type Live struct {
	screen   *term.Screen
	snapshot func() workflow.Snapshot

	mu    sync.Mutex
	meter Meter
	drawn int // lines of the last frame
	on    bool
}

// NewLive returns a display that draws nothing before Run.
func NewLive(s *term.Screen, snapshot func() workflow.Snapshot) *Live {
	return &Live{screen: s, snapshot: snapshot}
}

// Run draws until ctx ends and removes the frame then.
func (l *Live) Run(ctx context.Context) {
	t := time.NewTicker(125 * time.Millisecond)
	defer t.Stop()
	l.mu.Lock()
	l.on = true
	l.mu.Unlock()
	for {
		l.mu.Lock()
		l.draw(nil)
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			l.mu.Lock()
			defer l.mu.Unlock()
			l.on = false
			// What cannot be drawn on a terminal that is gone is no loss.
			_, _ = io.WriteString(l.screen.Out, l.erase())
			l.drawn = 0
			return
		case <-t.C:
		}
	}
}

// Write writes whole lines above the frame.
func (l *Live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		return l.screen.Out.Write(p)
	}
	l.draw(p)
	return len(p), nil
}

// erase moves to the first line of the last frame and clears from there.
func (l *Live) erase() string {
	if l.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", l.drawn)
}

func (l *Live) draw(above []byte) {
	l.screen.Resize()
	lines := Frame(l.screen, l.snapshot(), &l.meter)
	var b bytes.Buffer
	// Terminals that know synchronised output show the frame at once.
	b.WriteString("\x1b[?2026h")
	b.WriteString(l.erase())
	b.Write(above)
	b.WriteString(strings.Join(lines, "\n") + "\n")
	b.WriteString("\x1b[?2026l")
	l.drawn = len(lines)
	_, _ = l.screen.Out.Write(b.Bytes())
}

// Lines logs the progress of a sync until ctx ends: for terminals that cannot
// be redrawn, files and log collectors. It logs at each interval, and after
// the first twelve at every third.
func Lines(ctx context.Context, log *slog.Logger, p *workflow.Progress, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	var m Meter
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s := p.Snapshot()
		total, _ := m.Take(s)
		if i >= 12 && i%3 != 0 {
			continue
		}
		var open []string
		for _, v := range s.Services {
			if s.Phase == "reading" && v.Done < v.Tasks {
				open = append(open, v.Service)
			}
		}
		log.Info(s.Phase, "lists", fmt.Sprintf("%d/%d", s.Done, s.Tasks), "rows", s.Rows,
			"rows_per_second", int64(total), "incomplete", s.Incomplete, "elapsed", clock(s.Elapsed), "open", some(open, 3))
	}
}
