package main

import (
	"html"
	"regexp"
	"strings"
)

var (
	paragraph = regexp.MustCompile(`(?i)</p>|<ul>|<ol>|<dl>|</note>|</important>|<br */?>`)
	note      = regexp.MustCompile(`(?is)^\s*<(note|important|fullname)>.*?</(note|important|fullname)>`)
	tag       = regexp.MustCompile(`<[^>]*>`)
	space     = regexp.MustCompile(`\s+`)
	stop      = regexp.MustCompile(`[.!?]["')]?\s+[A-Z"(]`)
)

// maxDoc is the length at which a sentence is cut at a word.
const maxDoc = 300

// sentence reduces documentation in HTML to its first sentence as plain text.
func sentence(doc string) string {
	for {
		cut := note.ReplaceAllString(doc, "")
		if cut == doc || strings.TrimSpace(tag.ReplaceAllString(cut, "")) == "" {
			break
		}
		doc = cut
	}
	text := ""
	for _, p := range paragraph.Split(doc, -1) {
		text = strings.TrimSpace(space.ReplaceAllString(html.UnescapeString(tag.ReplaceAllString(p, "")), " "))
		if text != "" {
			break
		}
	}
	from := 0
	for {
		at := stop.FindStringIndex(text[from:])
		if at == nil {
			break
		}
		end := from + at[0] + 1
		if !abbreviated(text[:end]) {
			text = text[:end]
			break
		}
		from = end
	}
	if len(text) > maxDoc {
		cut := strings.LastIndexByte(text[:maxDoc], ' ')
		if cut < 0 {
			cut = maxDoc
		}
		text = strings.TrimRight(strings.ToValidUTF8(text[:cut], ""), " ,;:") + " ..."
	}
	return text
}

func abbreviated(s string) bool {
	for _, a := range []string{"e.g.", "i.e.", "etc.", "vs.", "No.", "U.S.", "Inc.", "approx."} {
		if strings.HasSuffix(s, a) {
			return true
		}
	}
	return false
}
