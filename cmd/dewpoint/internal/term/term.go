// Package term knows what can be written to: how wide a terminal is, whether
// it takes colours, and how text is laid out in columns on it.
package term

import (
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Screen is where text goes to. Its zero width means that lines may be of any
// length: a pipe or a file.
type Screen struct {
	Out           io.Writer
	Width, Height int
	// Terminal says that a person looks at it and lines can be redrawn.
	Terminal bool
	// Colour says that escape sequences for colour may be written.
	Colour bool

	file *os.File
}

// Open describes a standard stream. Colours are left out where noColour,
// NO_COLOR or TERM=dumb says so (https://no-color.org).
func Open(f *os.File, noColour bool) *Screen {
	s := &Screen{Out: f, file: f}
	if !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.Terminal = os.Getenv("TERM") != "dumb"
	s.Colour = s.Terminal && !noColour && os.Getenv("NO_COLOR") == ""
	s.Resize()
	return s
}

// Resize takes the size that the terminal has now.
func (s *Screen) Resize() {
	if s.file == nil {
		return
	}
	s.Width, s.Height = 80, 24
	if w, h, err := term.GetSize(int(s.file.Fd())); err == nil && w > 0 && h > 0 {
		s.Width, s.Height = w, h
	}
}

// IsTerminal says whether a stream is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func (s *Screen) paint(code, t string) string {
	if !s.Colour || t == "" {
		return t
	}
	return "\x1b[" + code + "m" + t + "\x1b[0m"
}

// Bold, Dim, Red, Green, Yellow and Cyan colour text where colours are on.
func (s *Screen) Bold(t string) string   { return s.paint("1", t) }
func (s *Screen) Dim(t string) string    { return s.paint("2", t) }
func (s *Screen) Red(t string) string    { return s.paint("31", t) }
func (s *Screen) Green(t string) string  { return s.paint("32", t) }
func (s *Screen) Yellow(t string) string { return s.paint("33", t) }
func (s *Screen) Cyan(t string) string   { return s.paint("36", t) }

// Width returns how many cells a text takes, escape sequences not counted.
func Width(t string) int { return text.StringWidthWithoutEscSequences(t) }

// Snip shortens a text to a number of cells; the last one is then "…".
func Snip(t string, width int) string {
	if Width(t) <= width {
		return t
	}
	return text.Snip(t, max(width, 1), "…")
}

// Pad fills a text with spaces to a width, on its left where right is true.
func Pad(t string, width int, right bool) string {
	n := width - Width(t)
	if n <= 0 {
		return t
	}
	if right {
		return strings.Repeat(" ", n) + t
	}
	return t + strings.Repeat(" ", n)
}

// Wrap breaks a text at spaces into lines of at most a width, 0 being none.
func Wrap(t string, width int) []string {
	if width <= 0 {
		return []string{t}
	}
	var lines []string
	line := ""
	for _, w := range strings.Fields(t) {
		switch {
		case line == "":
			line = w
		case Width(line)+1+Width(w) <= width:
			line += " " + w
		default:
			lines = append(lines, line)
			line = w
		}
	}
	return append(lines, line)
}

// Clean returns a text that cannot move the cursor, change colours or break
// the line: control characters become their escapes. Names and tags come from
// whoever can write them in the cloud.
func Clean(t string) string {
	i := strings.IndexFunc(t, isControl)
	if i < 0 {
		return t
	}
	var b strings.Builder
	b.WriteString(t[:i])
	for _, r := range t[i:] {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case isControl(r):
			const hex = "0123456789abcdef"
			b.WriteString(`\u`)
			for s := 12; s >= 0; s -= 4 {
				b.WriteByte(hex[r>>s&15])
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
