package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// maxName is the longest identifier of Postgres in bytes.
const maxName = 63

// shorten returns a name that Postgres takes: itself up to 63 bytes, else its
// beginning and a hash of the whole.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	cut := maxName - 9
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "_" + hex.EncodeToString(sum[:4])
}

// ident shortens and quotes an identifier.
func ident(name string) string { return `"` + strings.ReplaceAll(shorten(name), `"`, `""`) + `"` }

// idents quotes identifiers, each behind a prefix, and joins them by commas.
func idents(prefix string, names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix)
		b.WriteString(ident(n))
	}
	return b.String()
}

// literal quotes a text, whatever standard_conforming_strings is.
func literal(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

func nullLiteral(s string) string {
	if s == "" {
		return "NULL"
	}
	return literal(s)
}

// literals returns the texts as an array.
func literals(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return "ARRAY[" + strings.Join(quoted, ", ") + "]::text[]"
}
