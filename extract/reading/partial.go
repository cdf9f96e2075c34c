package reading

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// lacks is what the answers of a list say of their own completeness.
type lacks struct {
	// seen are the locations that the answers have a part for.
	seen map[string]bool
	// missing are locations that are not whole, with what is said of them.
	missing map[string]lack
	// all, if any, is said of no location that could be told.
	all *lack
}

// lack is what an answer says of something that it lacks.
type lack struct{ code, text string }

func (l *lacks) note(location string, k lack) {
	if location == "" {
		if l.all == nil {
			l.all = &k
		}
		return
	}
	if l.missing == nil {
		l.missing = map[string]lack{}
	}
	if _, ok := l.missing[location]; !ok {
		l.missing[location] = k
	}
}

// of is what is said of a location: of itself, of the region that it is a
// zone of, or of all.
func (l *lacks) of(location string) (lack, bool) {
	if l.all != nil {
		return *l.all, true
	}
	if k, ok := l.missing[location]; ok {
		return k, true
	}
	for m, k := range l.missing {
		if strings.HasPrefix(location, m+"-") {
			return k, true
		}
	}
	return lack{}, false
}

// any is what is said first, of whatever location.
func (l *lacks) any() (lack, bool) {
	if l.all != nil {
		return *l.all, true
	}
	for _, m := range slices.Sorted(maps.Keys(l.missing)) {
		k := l.missing[m]
		k.text = m + ": " + k.text
		return k, true
	}
	return lack{}, false
}

// read notes what the body of a page says besides its items.
func (l *lacks) read(p *catalog.Partial, body []byte, items []normalize.Stretch) {
	o := normalize.NewOutline(body, items)
	note := func(known []catalog.PartialMember, location string) func([]byte, int) int {
		return func(name []byte, at int) int {
			end := o.Skip(at)
			if end >= 0 {
				l.members(p, known, location, name, body[at:end])
			}
			return end
		}
	}
	top := note(p.Members, "")
	end := o.Members(0, func(key []byte, at int) int {
		if p.Scopes == "" || string(key) != p.Scopes || body[at] != '{' {
			return top(key, at)
		}
		return o.Members(at, func(scope []byte, at int) int {
			if body[at] != '{' {
				return o.Skip(at)
			}
			location := scopeLocation(string(scope))
			if l.seen == nil {
				l.seen = map[string]bool{}
			}
			l.seen[location] = true
			return o.Members(at, note(p.ScopeMembers, location))
		})
	})
	if end < 0 {
		l.note("", lack{"unreadable", "what the answer says besides its items is not JSON"})
	}
}

// members notes what a member says, of a location if it is of one's part.
func (l *lacks) members(p *catalog.Partial, known []catalog.PartialMember, location string, name, value []byte) {
	i := slices.IndexFunc(known, func(m catalog.PartialMember) bool { return m.Name == string(name) })
	if i < 0 {
		return
	}
	m := known[i]
	if m.Form == catalog.PartialWarnings && m.Warning == "" && harmless(p, value) {
		return
	}
	var elements []any
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		l.note("", lack{"unreadable", string(name) + " is not JSON"})
		return
	}
	switch v := v.(type) {
	case nil:
		return
	case []any:
		elements = v
	default:
		elements = []any{v}
	}
	for _, e := range elements {
		l.element(p, m, location, e)
	}
}

// harmless says whether a warning begins with a code that is, as the empty
// parts of an aggregated list do.
func harmless(p *catalog.Partial, value []byte) bool {
	rest, ok := bytes.CutPrefix(value, []byte(`{"code":"`))
	if !ok {
		return false
	}
	code, _, ok := bytes.Cut(rest, []byte(`"`))
	return ok && slices.Contains(p.Harmless, string(code))
}

func (l *lacks) element(p *catalog.Partial, m catalog.PartialMember, location string, e any) {
	at := func(name string) string {
		if location != "" {
			return location
		}
		return locationOf(name)
	}
	switch e := e.(type) {
	case string:
		if e != "" {
			l.note(at(e), lack{m.Name, "the answer lacks " + e})
		}
	case map[string]any:
		place, _ := e[m.Place].(string)
		if m.Form == catalog.PartialNamed {
			l.note(at(place), lack{m.Name, "the answer lacks " + place})
			return
		}
		w := e
		if m.Warning != "" {
			w, _ = e[m.Warning].(map[string]any)
		}
		code, _ := w["code"].(string)
		text, _ := w["message"].(string)
		if slices.Contains(p.Harmless, code) || len(w) == 0 {
			return
		}
		if code == "" {
			code = m.Name
		}
		l.note(at(place), lack{code, strings.TrimSpace(code + ": " + text)})
	default:
		l.note(location, lack{m.Name, m.Name + " is said to be missing"})
	}
}

var (
	inLocation   = regexp.MustCompile(`(?:^|/)(?:locations|zones|regions)/([^/]+)`)
	bareLocation = regexp.MustCompile(`^(?:global|[a-z]{2,4}|[a-z]+-[a-z]+\d+(?:-[a-z])?)$`)
)

// locationOf is the location that a text names, or that something named by it
// is in; empty where it does not tell.
func locationOf(text string) string {
	if m := inLocation.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	if bareLocation.MatchString(text) {
		return text
	}
	return ""
}

// scopeLocation is the location of a part's key: zones/z, regions/r, global.
func scopeLocation(key string) string {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[i+1:]
	}
	return key
}
