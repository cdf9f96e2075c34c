package catalog

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"unicode"
)

var (
	tags      = regexp.MustCompile(`<[^>]*>`)
	abbrevs   = []string{"e.g.", "i.e.", "etc.", "vs.", "Inc.", "approx.", "U.S.", "min.", "max."}
	maxDoc    = 300
	docBreaks = strings.NewReplacer("</li>", ", ", "\n", " ")
)

// FirstSentence makes one line of plain text of a description: its first
// sentence, without mark-up.
func FirstSentence(doc string) string {
	if doc == "" {
		return ""
	}
	for paragraph := range strings.SplitSeq(doc, "</p>") {
		if strings.TrimSpace(tags.ReplaceAllString(paragraph, "")) != "" {
			doc = paragraph
			break
		}
	}
	s := html.UnescapeString(tags.ReplaceAllString(docBreaks.Replace(doc), ""))
	s = strings.Join(strings.Fields(s), " ")
	for i := range len(s) {
		if s[i] != '.' || i+1 < len(s) && s[i+1] != ' ' {
			continue
		}
		if i+2 < len(s) && unicode.IsLower(rune(s[i+2])) {
			continue
		}
		abbrev := false
		for _, a := range abbrevs {
			abbrev = abbrev || strings.HasSuffix(s[:i+1], a)
		}
		if !abbrev {
			s = s[:i+1]
			break
		}
	}
	if len(s) > maxDoc {
		cut := strings.LastIndexByte(s[:maxDoc], ' ')
		if cut < maxDoc/2 {
			cut = maxDoc
			for cut > 0 && s[cut]&0xC0 == 0x80 {
				cut--
			}
		}
		s = strings.TrimRight(s[:cut], " ,;:") + "..."
	}
	s = strings.TrimSuffix(s, ":")
	if s != "" && !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") && !strings.HasSuffix(s, "!") {
		s += "."
	}
	return s
}

// wordy is what descriptions of shapes begin with before they come to the point.
var wordy = regexp.MustCompile(`^(?i:(?:(?:this|the|an?) (?:complex type|structures?|object|shape|summary)(?: that)? )?` +
	`(?:(?:contains?|describes?|representing|represents?|provides?|specifies|details|information|the details|the summary information|of)` +
	`(?: (?:the|a|an|all|all of the|detailed|general|summary)?(?: ?(?:details|properties|information|metadata|description|definition|attributes|response object))? ?(?:about|of|for|on) )?) ?)`)

// nounOfDoc takes the words off the description of a kind that say that it is
// one: "Contains information about a volume." is "A volume.".
func nounOfDoc(doc string) string {
	loc := wordy.FindStringIndex(doc)
	if loc == nil || loc[1] >= len(doc) {
		return doc
	}
	rest := doc[loc[1]:]
	for _, article := range []string{"a ", "an ", "the ", "one "} {
		if strings.HasPrefix(rest, article) {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return doc
}

// canonical is JSON with sorted keys.
func canonical(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("catalog: " + err.Error())
	}
	return string(b)
}
