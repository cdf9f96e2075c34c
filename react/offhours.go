package react

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones where the machine has none
)

// Schedule says at which hours of which days machines are stopped and started,
// by the grammar of Cloud Custodian's off-hours tags:
//
//	off=(M-F,19);on=(M-F,7);tz=Europe/Berlin
//
// with several times as off=[(M-H,19),(F,17)]. Days are M T W H F S U.
type Schedule struct {
	Off, On []HourOfDays
	Zone    *time.Location
}

// HourOfDays is an hour of some days of the week.
type HourOfDays struct {
	Days []time.Weekday
	Hour int
}

// week is the days in their order, by their letters.
const week = "MTWHFSU"

// zones are short names of zones as Custodian takes them.
var zones = map[string]string{
	"pt": "America/Los_Angeles", "mt": "America/Denver", "ct": "America/Chicago", "et": "America/New_York", "gmt": "Etc/GMT", "utc": "Etc/UTC",
	"bst": "Europe/London", "ist": "Europe/Dublin", "cet": "Europe/Berlin", "jst": "Asia/Tokyo", "sgt": "Asia/Singapore", "aet": "Australia/Sydney",
}

// ParseSchedule reads a schedule. What a text does not say is taken from what
// it is on top of; "on", "true", "yes" and the empty text say nothing.
func ParseSchedule(text string, base Schedule) (Schedule, error) {
	s := base
	text = strings.Join(strings.Fields(text), "")
	switch strings.ToLower(text) {
	case "", "on", "true", "yes", "enabled":
		return s, nil
	}
	for part := range strings.SplitSeq(strings.Trim(text, ";"), ";") {
		key, value, ok := strings.Cut(part, "=")
		var err error
		switch key = strings.ToLower(key); {
		case !ok:
			err = fmt.Errorf("%q is no part of a schedule", part)
		case key == "off":
			s.Off, err = parseHours(value)
		case key == "on":
			s.On, err = parseHours(value)
		case key == "tz":
			s.Zone, err = parseZone(value)
		default:
			err = fmt.Errorf("%q is none of off, on, tz", key)
		}
		if err != nil {
			return Schedule{}, fmt.Errorf("schedule %q: %w: write off=(M-F,19);on=(M-F,7);tz=Europe/Berlin", text, err)
		}
	}
	return s, nil
}

func parseZone(text string) (*time.Location, error) {
	if long, ok := zones[strings.ToLower(text)]; ok {
		text = long
	}
	if text == "" || strings.EqualFold(text, "local") {
		return nil, fmt.Errorf("%q is no time zone", text)
	}
	return time.LoadLocation(text)
}

// parseHours reads (M-F,19), or several in brackets.
func parseHours(text string) ([]HourOfDays, error) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(inner, "]"); !ok {
			return nil, fmt.Errorf("%q is not closed", inner)
		}
	}
	var out []HourOfDays
	for rest := text; rest != ""; {
		one, after, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		if !ok || !strings.HasPrefix(rest, "(") {
			return nil, fmt.Errorf("%q is no time", rest)
		}
		days, hour, ok := strings.Cut(one, ",")
		h := HourOfDays{}
		var err error
		if h.Hour, err = strconv.Atoi(hour); err != nil || !ok || h.Hour < 0 || h.Hour > 23 {
			return nil, fmt.Errorf("%q has no hour from 0 to 23", one)
		}
		if h.Days, err = parseDays(days); err != nil {
			return nil, err
		}
		out = append(out, h)
		rest = strings.TrimPrefix(after, ",")
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it names no time")
	}
	return out, nil
}

// parseDays reads M, or M-F, also over the end of the week.
func parseDays(text string) ([]time.Weekday, error) {
	from, to, span := strings.Cut(strings.ToUpper(text), "-")
	if !span {
		to = from
	}
	i, j := strings.Index(week, from), strings.Index(week, to)
	if len(from) != 1 || len(to) != 1 || i < 0 || j < 0 {
		return nil, fmt.Errorf("%q are no days: take M T W H F S U, or M-F", text)
	}
	var out []time.Weekday
	for k := i; ; k = (k + 1) % len(week) {
		out = append(out, time.Weekday((k+1)%7))
		if k == j {
			return out, nil
		}
	}
}

// Due says whether an instant is in one of the hours, in the schedule's zone,
// and on none of the days to skip, which are written 2006-01-02.
func (s Schedule) Due(hours []HourOfDays, at time.Time, skip []string) bool {
	if s.Zone != nil {
		at = at.In(s.Zone)
	} else {
		at = at.UTC()
	}
	if slices.Contains(skip, at.Format(time.DateOnly)) {
		return false
	}
	return slices.ContainsFunc(hours, func(h HourOfDays) bool { return h.Hour == at.Hour() && slices.Contains(h.Days, at.Weekday()) })
}
