package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

// templates are those of a channel; nil where the default holds.
type templates struct{ title, text, body *template.Template }

// functions are those of templates besides text/template's own.
var functions = template.FuncMap{
	"json": func(v any) (string, error) {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err := enc.Encode(v)
		return strings.TrimSuffix(b.String(), "\n"), err
	},
	"truncate": truncate,
	"join":     func(sep string, all []string) string { return strings.Join(all, sep) },
}

func (c *Channel) templates() (t templates, err error) {
	for _, x := range []struct {
		name, text string
		to         **template.Template
	}{{"title", c.Title, &t.title}, {"text", c.Text, &t.text}, {"body", c.Body, &t.body}} {
		if x.text == "" {
			continue
		}
		if path, ok := strings.CutPrefix(x.text, "file:"); ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return t, fmt.Errorf("%s: %w", x.name, err)
			}
			x.text = string(b)
		}
		if *x.to, err = template.New(x.name).Funcs(functions).Parse(x.text); err != nil {
			return t, err
		}
		// What the message does not have is found out now, not at night.
		if err := (*x.to).Execute(new(bytes.Buffer), sample()); err != nil {
			return t, err
		}
	}
	return t, nil
}

// sample is a message to try templates with.
func sample() *Message {
	return &Message{Fields: []Field{{}}, Columns: []string{""}, Rows: []map[string]any{{}}, Data: map[string]any{}}
}

// render returns the message with title and text as the channel's templates
// have them.
func (c *Channel) render(m *Message) (*Message, error) {
	t, err := c.templates()
	if err != nil {
		return nil, err
	}
	out := *m
	// Templates see the names that are documented, those of JSON.
	if out.Data, err = generic(m.Data); err != nil {
		return nil, err
	}
	for _, x := range []struct {
		t  *template.Template
		to *string
	}{{t.title, &out.Title}, {t.text, &out.Text}} {
		if x.t == nil {
			continue
		}
		var b strings.Builder
		if err := x.t.Execute(&b, &out); err != nil {
			return nil, err
		}
		*x.to = strings.TrimSpace(b.String())
	}
	out.Title = strings.Join(strings.Fields(out.Title), " ")
	return &out, nil
}

// generic is a value as it is read from JSON.
func generic(v any) (out any, err error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(b, &out)
	return out, err
}

// body is what a webhook receives.
func (c *Channel) body(m *Message) ([]byte, error) {
	t, err := c.templates()
	if err != nil || t.body == nil {
		b, _ := json.Marshal(m)
		return b, err
	}
	var b bytes.Buffer
	err = t.body.Execute(&b, m)
	return b.Bytes(), err
}

// truncate cuts a text to n letters.
func truncate(n int, text string) string {
	if all := []rune(text); len(all) > n {
		return string(all[:max(0, n-1)]) + "…"
	}
	return text
}

// table writes the rows of a message in columns, so many at most.
func (m *Message) table(most int) string {
	if len(m.Rows) == 0 {
		return ""
	}
	lines := [][]string{m.Columns}
	for i, r := range m.Rows {
		if i == most {
			break
		}
		var cells []string
		for _, c := range m.Columns {
			cells = append(cells, truncate(60, cell(r[c])))
		}
		lines = append(lines, cells)
	}
	width := make([]int, len(m.Columns))
	for _, l := range lines {
		for i, c := range l {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	var b strings.Builder
	for _, l := range lines {
		var line strings.Builder
		for i, c := range l {
			line.WriteString(c + strings.Repeat(" ", width[i]-len([]rune(c))+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if more := len(m.Rows) - most; more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// cell is a value in one line.
func cell(v any) string {
	if v == nil {
		return ""
	}
	return strings.Join(strings.Fields(fmt.Sprint(v)), " ")
}
