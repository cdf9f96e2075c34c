package react

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteMarkdown writes plans for people to read: in a pull request, in a
// message.
func WriteMarkdown(w io.Writer, plans []*Plan) error {
	var b strings.Builder
	for i, p := range plans {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n", p.Rule, p.Sentence())
		if p.Refused != "" {
			continue
		}
		section(&b, "To be done", []string{"resource", "account, region", "owner", "reason", "calls", "goes down with it"}, p.Ready(), func(t Target) []string {
			return []string{t.shown(), t.Account + ", " + t.Region, t.Owner, t.Why(), strings.Join(t.calls(), "<br>"), strings.Join(t.along(), "<br>")}
		})
		section(&b, "Blocked", []string{"resource", "account, region", "owner", "reason", "blocked by"}, p.Blocked(), func(t Target) []string {
			return []string{t.shown(), t.Account + ", " + t.Region, t.Owner, t.Why(), strings.Join(t.Blockers, "<br>")}
		})
		section(&b, "Waiting", []string{"resource", "account, region", "owner", "reason", "due"}, p.Waiting, func(t Target) []string {
			return []string{t.shown(), t.Account + ", " + t.Region, t.Owner, t.Why(), t.DueAt.Format("2006-01-02 15:04")}
		})
		section(&b, "Left alone", []string{"resource", "account, region", "why"}, p.Skipped, func(s Skip) []string {
			return []string{s.shown(), s.Account + ", " + s.Region, s.Why}
		})
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// section writes a table of Markdown, unless it is empty.
func section[T any](b *strings.Builder, title string, header []string, all []T, cells func(T) []string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n| %s |\n|%s\n", title, strings.Join(header, " | "), strings.Repeat(" --- |", len(header)))
	for _, x := range all {
		row := cells(x)
		for i, c := range row {
			row[i] = strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ").Replace(c)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

// Sentence says what the plan comes to.
func (p *Plan) Sentence() string {
	if p.Refused != "" {
		return "Refused: " + p.Refused + "."
	}
	saving := 0.0
	for _, t := range p.Ready() {
		saving += t.Saving
	}
	text := fmt.Sprintf("%d of %d matched to be done, %d blocked, %d waiting, %d left alone.", len(p.Ready()), p.Matched, len(p.Blocked()), len(p.Waiting), len(p.Skipped))
	if saving > 0 {
		text += fmt.Sprintf(" About %.2f a month would be saved.", saving)
	}
	return text
}

// Blocked are the targets that are not acted on.
func (p *Plan) Blocked() []Target {
	return slices.DeleteFunc(slices.Clone(p.Targets), func(t Target) bool { return len(t.Blockers) == 0 })
}

func (t *Target) shown() string {
	if t.Name != "" && t.Name != t.ID {
		return t.Kind + " " + t.ID + " (" + t.Name + ")"
	}
	return t.Kind + " " + t.ID
}

func (s *Skip) shown() string {
	if s.ID == "" {
		return s.UID
	}
	return s.Kind + " " + s.ID
}

// Why is the reason with its evidence.
func (t *Target) Why() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(t.Evidence)) {
		parts = append(parts, k+"="+t.Evidence[k])
	}
	if len(parts) == 0 {
		return t.Reason
	}
	return t.Reason + " (" + strings.Join(parts, ", ") + ")"
}

// calls are the calls in order, each with what it is made on.
func (t *Target) calls() []string {
	var out []string
	for _, s := range t.Steps {
		for _, c := range s.Calls {
			text := c.Service + "." + c.Op + " " + s.Resource.ID
			for _, k := range slices.Sorted(maps.Keys(s.Set)) {
				text += " " + k + "=" + s.Set[k]
			}
			for _, k := range s.Remove {
				text += " -" + k
			}
			if c.Says != "" {
				text += ": " + c.Says
			}
			out = append(out, text)
		}
	}
	return out
}

// along is what goes down with the target.
func (t *Target) along() []string {
	var out []string
	for _, m := range t.Takes {
		out = append(out, m.Kind+" "+m.ID)
	}
	return out
}
