package main

import (
	"regexp"
	"strings"
)

var (
	space = regexp.MustCompile(`\s+`)
	stop  = regexp.MustCompile(`[.!?]["')]?\s+[A-Z"(` + "`" + `]`)
	// behaviour is what stands before the text proper.
	behaviour = regexp.MustCompile(`^(?:\[?(?:Output Only|Input Only|Optional|Required|Immutable|Identifier|Deprecated)[\].:]+\s*)+`)
	link      = regexp.MustCompile(`\[([^\]]+)\]\((?:https?:)?/?[^)]*\)|\[([A-Za-z0-9_. -]+)\]\[[^\]]*\]`)
	tag       = regexp.MustCompile(`</?[a-zA-Z][^>]*>`)
)

// maxDoc is the length at which a sentence is cut at a word.
const maxDoc = 200

// sentence reduces documentation to its first sentence as plain text.
func sentence(doc string) string {
	text := strings.TrimSpace(space.ReplaceAllString(doc, " "))
	text = link.ReplaceAllString(text, "$1$2")
	text = tag.ReplaceAllString(text, "")
	if rest := ignoreCase(text); rest != "" {
		text = rest
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

// ignoreCase takes the words on a member's behaviour from the beginning, in
// whatever case they are.
func ignoreCase(text string) string {
	const longest = 64
	head := text[:min(len(text), longest)]
	title := strings.NewReplacer("output only", "Output Only", "Output only", "Output Only", "OUTPUT ONLY", "Output Only",
		"Input only", "Input Only", "input only", "Input Only").Replace(head)
	if at := behaviour.FindStringIndex(title); at != nil {
		return text[at[1]:]
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
