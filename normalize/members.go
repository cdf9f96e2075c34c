package normalize

import "iter"

// Members are the keys and values of a JSON object, as they stand in b: keys
// without quotes and escapes kept, values whole. It ends early where b is no
// object.
func Members(b []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		w := walker{b: b}
		i := skipSpace(b, 0)
		if i >= len(b) || b[i] != '{' {
			return
		}
		for i = skipSpace(b, i+1); i < len(b) && b[i] == '"'; {
			end, _, _ := scanString(b, i+1)
			if end < 0 {
				return
			}
			key := string(b[i+1 : end])
			from := w.jsonName(i)
			if from < 0 {
				return
			}
			if i = w.jsonSkip(from); i < 0 || !yield(key, b[from:i]) {
				return
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ',' {
				return
			}
			i = skipSpace(b, i+1)
		}
	}
}
