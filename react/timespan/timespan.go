// Package timespan reads durations and instants as people write them into
// tags: 3d2h, "1yr 2mo and 3 days", P1DT2H, 2027-01-31, never.
package timespan

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Day is 24 hours; a week has 7 of them, a month 31, a year 365.
const Day = 24 * time.Hour

// ErrAmbiguous says that a duration has a bare m or M, which may be minutes or
// months.
var ErrAmbiguous = errors.New("m may be minutes or months: write min or mo")

// limit keeps sums well inside what a time.Duration holds.
const limit = 250 * 365 * Day

var units = map[string]time.Duration{
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": Day, "day": Day, "days": Day,
	"w": 7 * Day, "wk": 7 * Day, "wks": 7 * Day, "week": 7 * Day, "weeks": 7 * Day,
	"mo": 31 * Day, "mon": 31 * Day, "month": 31 * Day, "months": 31 * Day,
	"y": 365 * Day, "yr": 365 * Day, "yrs": 365 * Day, "year": 365 * Day, "years": 365 * Day,
}

// words are numbers as people write them out.
var words = map[string]string{
	"a": "1", "an": "1", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
	"ten": "10", "eleven": "11", "twelve": "12",
}

var (
	part = regexp.MustCompile(`^(?:([0-9]+(?:\.[0-9]+)?)\s*|([A-Za-z]+)\s+)([A-Za-z]+)`)
	gap  = regexp.MustCompile(`^(?:[\s,]+(?:and\s+)?|and\s+)`)
	iso  = regexp.MustCompile(`^P(?:(\d+(?:[.,]\d+)?)Y)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)W)?(?:(\d+(?:[.,]\d+)?)D)?(T(?:(\d+(?:[.,]\d+)?)H)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)S)?)?$`)
)

// Parse reads a duration: numbers with units, with or without spaces, commas
// and "and" in between, or the ISO 8601 form; a sign may stand before either.
// Numbers to twelve may be written out, as in two years.
// A bare m or M is ErrAmbiguous, except in the ISO form, whose T tells.
func Parse(text string) (time.Duration, error) {
	s := strings.TrimSpace(text)
	sign := time.Duration(1)
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = strings.TrimSpace(s[1:])
	}
	var d time.Duration
	var err error
	if strings.HasPrefix(s, "P") {
		d, err = parseISO(s)
	} else {
		d, err = parseParts(s)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: %w", clip(text), err)
	}
	return sign * d, nil
}

func parseParts(s string) (time.Duration, error) {
	if s == "" {
		return 0, errors.New("it is empty")
	}
	var total time.Duration
	ambiguous := false
	for first := true; s != ""; first = false {
		if !first {
			s = s[len(gap.FindString(s)):]
		}
		m := part.FindStringSubmatch(s)
		if m == nil {
			return 0, errors.New("write a number and a unit, as in 3d or 2 weeks")
		}
		s = s[len(m[0]):]
		number := m[1]
		if number == "" {
			if number = words[strings.ToLower(m[2])]; number == "" {
				return 0, fmt.Errorf("%q is no number", clip(m[2]))
			}
		}
		if m[3] == "m" || m[3] == "M" {
			ambiguous = true
			continue
		}
		unit, ok := units[strings.ToLower(m[3])]
		if !ok {
			return 0, fmt.Errorf("%q is no unit: take s, min, h, d, w, mo or y", clip(m[3]))
		}
		var err error
		if total, err = add(total, number, unit); err != nil {
			return 0, err
		}
	}
	if ambiguous {
		return 0, ErrAmbiguous
	}
	return total, nil
}

func parseISO(s string) (time.Duration, error) {
	m := iso.FindStringSubmatch(s)
	if m == nil || m[0] == "P" || m[5] == "T" {
		return 0, errors.New("it begins with P and is no ISO 8601 duration, as P1DT2H is")
	}
	var total time.Duration
	var err error
	for i, unit := range map[int]time.Duration{1: 365 * Day, 2: 31 * Day, 3: 7 * Day, 4: Day, 6: time.Hour, 7: time.Minute, 8: time.Second} {
		if m[i] == "" {
			continue
		}
		if total, err = add(total, strings.Replace(m[i], ",", ".", 1), unit); err != nil {
			return 0, err
		}
	}
	return total, nil
}

func add(total time.Duration, number string, unit time.Duration) (time.Duration, error) {
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, err
	}
	x := n * float64(unit)
	if x > float64(limit) || total > limit-time.Duration(x) {
		return 0, errors.New("it is longer than 250 years")
	}
	return total + time.Duration(math.Round(x)), nil
}

// Format writes a duration so that Parse reads it: 14d, 1d12h, 90min.
func Format(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	if d < 0 {
		b.WriteByte('-')
		d = -d
	}
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"d", Day}, {"h", time.Hour}, {"min", time.Minute}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	if d > 0 {
		b.WriteString(strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s")
	}
	return b.String()
}

// layouts of instants, with a zone and without.
var layouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15Z07:00",
	"2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04Z0700",
	"2006-01-02T15:04:05.999999999Z07", "2006-01-02T15:04Z07",
	"20060102T150405Z0700", "20060102T150405Z07:00",
	"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "20060102T150405",
}

// Instant reads an ISO 8601 instant. Without a zone it is UTC; a date alone is
// the end of that day, UTC.
func Instant(text string) (time.Time, error) {
	s := strings.TrimSpace(text)
	for _, layout := range []string{"2006-01-02", "20060102"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Add(Day), nil
		}
	}
	// A space may stand for the T and before the zone.
	t := s
	if len(t) > 10 && (t[10] == ' ' || t[10] == 't') {
		t = t[:10] + "T" + t[11:]
	}
	for _, zone := range []string{" UTC", " GMT", " Z", "z"} {
		if cut, ok := strings.CutSuffix(t, zone); ok {
			t = cut + "Z"
		}
	}
	t = strings.Replace(strings.Replace(t, " +", "+", 1), " -", "-", 1)
	for _, layout := range layouts {
		if v, err := time.Parse(layout, t); err == nil {
			return v.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no instant: write 2027-01-31 or 2027-01-31T12:00:00Z", clip(text))
}

// Never says whether a tag says that its resource does not end.
func Never(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "never", "none", "infinite", "forever":
		return true
	}
	return false
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "..."
	}
	return s
}
