package react

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// Report is what plans come to: what is or was done, what was saved, what is
// left alone and why.
type Report struct {
	Plans []*Plan
	// Results are those of the plans that were applied, by rule.
	Results map[string][]Result
	// Failed are the plans that could not be applied, by rule.
	Failed map[string]error
}

// WriteMarkdown writes plans for people to read: in a pull request, in a
// message.
func WriteMarkdown(w io.Writer, plans []*Plan) error {
	return (&Report{Plans: plans}).WriteMarkdown(w)
}

// WriteMarkdown writes the report rule by rule.
func (x *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	for i, p := range x.Plans {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n", p.Rule, x.Sentence(p))
		if p.Refused != "" {
			continue
		}
		results, applied := x.Results[p.Rule]
		if applied {
			done := slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return !r.Done })
			section(&b, "Done", []string{"resource", "account, region", "owner", "reason", "calls", "went down with it"}, done, func(r Result) []string {
				return []string{r.Shown(), r.Account + ", " + r.Region, r.Owner, r.Target.Why(), strings.Join(r.calls(), "<br>"), strings.Join(r.along(), "<br>")}
			})
			left := slices.DeleteFunc(slices.Clone(results), func(r Result) bool { return r.Done })
			section(&b, "Not done", []string{"resource", "account, region", "owner", "reason", "why not"}, left, func(r Result) []string {
				return []string{r.Shown(), r.Account + ", " + r.Region, r.Owner, r.Target.Why(), r.Why}
			})
		} else {
			section(&b, "To be done", []string{"resource", "account, region", "owner", "reason", "calls", "goes down with it"}, p.Ready(), func(t Target) []string {
				return []string{t.Shown(), t.Account + ", " + t.Region, t.Owner, t.Why(), strings.Join(t.calls(), "<br>"), strings.Join(t.along(), "<br>")}
			})
		}
		section(&b, "Blocked", []string{"resource", "account, region", "owner", "reason", "blocked by"}, p.Blocked(), func(t Target) []string {
			return []string{t.Shown(), t.Account + ", " + t.Region, t.Owner, t.Why(), strings.Join(t.Blockers, "<br>")}
		})
		section(&b, "Waiting", []string{"resource", "account, region", "owner", "reason", "due"}, p.Waiting, func(t Target) []string {
			return []string{t.Shown(), t.Account + ", " + t.Region, t.Owner, t.Why(), t.DueAt.Format("2006-01-02 15:04")}
		})
		section(&b, "Left alone", []string{"resource", "account, region", "why"}, p.Skipped, func(s Skip) []string {
			return []string{s.Shown(), s.Account + ", " + s.Region, s.Why}
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
	for _, one := range all {
		row := cells(one)
		for i, c := range row {
			row[i] = strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ").Replace(c)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

// Sentence says what a plan comes to, or what came of it.
func (x *Report) Sentence(p *Plan) string {
	if err := x.Failed[p.Rule]; err != nil {
		return "Not applied: " + err.Error() + "."
	}
	results, applied := x.Results[p.Rule]
	if !applied || p.Refused != "" {
		return p.Sentence()
	}
	done, saved := 0, 0.0
	for _, r := range results {
		if r.Done {
			done, saved = done+1, saved+r.Saving
		}
	}
	text := fmt.Sprintf("%d of %d done%s.", done, len(results), p.rest())
	if len(results) == 0 {
		text = "Nothing to be done" + p.rest() + "."
	}
	if saved > 0 {
		text += fmt.Sprintf(" It saves about $%.2f a month.", saved)
	}
	return text
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
	text := fmt.Sprintf("%d of %d matched to be done%s.", len(p.Ready()), p.Matched, p.rest())
	if saving > 0 {
		text += fmt.Sprintf(" It would save about $%.2f a month.", saving)
	}
	return text
}

// rest counts what the plan does not act on.
func (p *Plan) rest() string {
	text := ""
	for _, c := range []struct {
		n    int
		word string
	}{{len(p.Blocked()), "blocked"}, {len(p.Waiting), "waiting"}, {len(p.Skipped), "left alone"}} {
		if c.n > 0 {
			text += fmt.Sprintf(", %d %s", c.n, c.word)
		}
	}
	return text
}

// Total says what came of all plans that were applied, empty if none was.
func (x *Report) Total() string {
	n, saved := map[string]int{}, 0.0
	deleted, along := map[string]bool{}, map[string]bool{}
	for _, p := range x.Plans {
		results, applied := x.Results[p.Rule]
		if !applied {
			continue
		}
		for _, r := range results {
			if !r.Done {
				n["Not done"]++
				continue
			}
			saved += r.Saving
			n[past[r.Verb()]]++
			if r.Verb() == action.Delete {
				deleted[r.UID] = true
			}
			for _, m := range r.Takes {
				along[m.UID] = true
			}
		}
		n["Blocked"] += len(p.Blocked())
		n["Waiting"] += len(p.Waiting)
		n["Left alone"] += len(p.Skipped)
	}
	if len(n) == 0 {
		return ""
	}
	maps.DeleteFunc(along, func(uid string, _ bool) bool { return deleted[uid] })
	var did []string
	for _, word := range []string{"corrected", "deleted", "stopped", "started"} {
		if n[word] == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", n[word], word)
		if word == "deleted" && len(along) > 0 {
			text += fmt.Sprintf(" and %d with them", len(along))
		}
		did = append(did, text)
	}
	if len(did) == 0 {
		did = []string{"nothing"}
	}
	text := "Done: " + strings.Join(did, ", ") + "."
	if saved > 0 {
		text += fmt.Sprintf(" It saves about $%.2f a month.", saved)
	}
	for _, word := range []string{"Not done", "Blocked", "Waiting", "Left alone"} {
		if n[word] > 0 {
			text += fmt.Sprintf(" %s: %d.", word, n[word])
		}
	}
	return text
}

// past is what was done.
var past = map[action.Verb]string{action.Tag: "corrected", action.Delete: "deleted", action.Stop: "stopped", action.Start: "started"}

// Verb is what is done to the target, as its rule says.
func (t *Target) Verb() action.Verb {
	v := t.Steps[len(t.Steps)-1].Verb
	if v == action.Untag {
		return action.Tag
	}
	return v
}

// Blocked are the targets that are not acted on.
func (p *Plan) Blocked() []Target {
	return slices.DeleteFunc(slices.Clone(p.Targets), func(t Target) bool { return len(t.Blockers) == 0 })
}

// Shown is the row with what people know it by.
func (s *Skip) Shown() string {
	if s.ID == "" {
		return s.UID
	}
	return action.Resource{Cloud: s.Cloud, Kind: s.Kind, ID: s.ID, Name: s.Name}.Shown()
}

// Why is the reason with its evidence, or with the tags that are set and
// removed.
func (t *Target) Why() string {
	var parts []string
	for _, s := range t.Steps {
		for _, k := range slices.Sorted(maps.Keys(s.Set)) {
			parts = append(parts, "set "+k+"="+s.Set[k])
		}
		for _, k := range s.Remove {
			parts = append(parts, "remove "+k)
		}
	}
	if len(parts) == 0 {
		for _, k := range slices.Sorted(maps.Keys(t.Evidence)) {
			parts = append(parts, k+"="+t.Evidence[k])
		}
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
		out = append(out, m.Shown())
	}
	return out
}
