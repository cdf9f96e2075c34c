package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is something that is wrong with a catalogue file.
type Problem struct {
	File         string
	Line, Column int
	// Kind concerned, empty for the file as a whole.
	Kind    string
	Message string
}

func (p Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	if p.Kind != "" {
		return where + ": " + p.Kind + ": " + p.Message
	}
	return where + ": " + p.Message
}

// Problems are all problems of a catalogue, by file and line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, q := range p {
		lines[i] = q.Error()
	}
	return strings.Join(lines, "\n")
}

// err is nil if there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column, strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(p)
}

// place is a position in a file.
type place struct {
	file      string
	line, col int
}

func (p place) problem(kind, format string, args ...any) Problem {
	return Problem{File: p.file, Line: p.line, Column: p.col, Kind: kind, Message: fmt.Sprintf(format, args...)}
}
