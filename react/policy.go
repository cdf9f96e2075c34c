package react

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/dewpoint-data/dewpoint/react/timespan"
)

// TagLimit says what a tag must be. Of several that fit a resource and a key,
// the most specific counts: by account, then by kind, then the last.
type TagLimit struct {
	// Accounts and Kinds are globs; empty is all.
	Accounts string `yaml:"accounts"`
	Kinds    string `yaml:"kinds"`
	// Key is the tag's. Aliases are other spellings of it, which are renamed
	// to it; keys that differ from it in letter case only are as well, and with
	// Typos those that are a single slip of the keyboard away from a key of at
	// least 5 letters.
	Key     string   `yaml:"key"`
	Aliases []string `yaml:"aliases"`
	Typos   bool     `yaml:"typos"`
	// Max is the longest time from creation to which an expiry is shortened.
	Max Span `yaml:"max"`
	// Values are those allowed, Pattern is what they match; other ones become
	// Default where there is one, and are reported where there is none.
	Values  []string `yaml:"values"`
	Pattern string   `yaml:"pattern"`
	// Default is set where the tag is missing and Required, or is not allowed.
	Default  string `yaml:"default"`
	Required bool   `yaml:"required"`

	pattern *regexp.Regexp
}

func (l *TagLimit) compile() (err error) {
	switch {
	case l.Key == "":
		return errors.New("key is empty")
	case len(l.Values) > 0 && l.Pattern != "":
		return errors.New("give values or pattern, not both")
	case l.Max > 0 && (len(l.Values) > 0 || l.Pattern != ""):
		return errors.New("give max, or values or pattern")
	}
	if err := validGlobs([]string{l.Accounts, l.Kinds}); err != nil {
		return err
	}
	if l.Pattern != "" {
		if l.pattern, err = regexp.Compile("^(?:" + l.Pattern + ")$"); err != nil {
			return err
		}
	}
	if l.Default != "" && l.judge(l.Default, time.Time{}, false).wrong != "" && l.Max == 0 {
		return fmt.Errorf("default %q is not allowed itself", l.Default)
	}
	return nil
}

// specific orders limits: an exact account before a glob before none, then
// kinds likewise.
func (l *TagLimit) specific() int {
	rank := func(g string) int {
		switch {
		case g == "" || g == "*":
			return 0
		case regexp.MustCompile(`[*?\[]`).MatchString(g):
			return 1
		}
		return 2
	}
	return 3*rank(l.Accounts) + rank(l.Kinds)
}

// verdict is what a limit says of a value.
type verdict struct {
	wrong string // why it is not allowed, empty where it is
	fix   string // what to set instead, empty for nothing
}

// judge judges the value of a tag. A never beyond the policy is a violation,
// and is shortened; what cannot be read is reported and left alone.
func (l *TagLimit) judge(value string, now time.Time, instant bool) verdict {
	switch {
	case l.Max > 0:
		return l.judgeExpiry(value, now, instant)
	case len(l.Values) > 0 && !slices.Contains(l.Values, value):
		return verdict{fmt.Sprintf("%q is not among the values allowed", value), l.Default}
	case l.pattern != nil && !l.pattern.MatchString(value):
		return verdict{fmt.Sprintf("%q does not match %s", value, l.Pattern), l.Default}
	}
	return verdict{}
}

// judgeExpiry judges an expiry. A duration counts from the creation of the
// resource; an instant is shortened from now, so that it is not past at once
// and is right the next time.
func (l *TagLimit) judgeExpiry(value string, now time.Time, instant bool) verdict {
	limit := time.Duration(l.Max)
	shortest := timespan.Format(limit)
	if instant {
		shortest = now.Add(limit).UTC().Format(time.RFC3339)
	}
	longer := verdict{fmt.Sprintf("%s is longer than %s", value, timespan.Format(limit)), shortest}
	if timespan.Never(value) {
		return longer
	}
	if instant {
		t, err := timespan.Instant(value)
		switch {
		case err != nil:
			return verdict{wrong: err.Error()}
		case t.Sub(now) > limit+timespan.Day:
			return longer
		}
		return verdict{}
	}
	d, err := timespan.Parse(value)
	switch {
	case err != nil:
		return verdict{wrong: err.Error()}
	case d > limit:
		return longer
	}
	return verdict{}
}
