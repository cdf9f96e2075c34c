package react_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/react"
)

func TestSchedules(t *testing.T) {
	base, err := react.ParseSchedule("off=(M-F,19);on=(M-F,7);tz=utc", react.Schedule{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		text, at string
		off, on  bool
	}{
		{"", "2026-11-27T19:05:00Z", true, false}, // a Friday
		{"true", "2026-11-27T19:59:59Z", true, false},
		{"on", "2026-11-27T20:00:00Z", false, false},
		{"", "2026-11-28T19:05:00Z", false, false},
		{"", "2026-11-27T07:30:00Z", false, true},
		{"tz=et", "2026-11-28T00:05:00Z", true, false}, // still Friday evening there
		{"off=(U-M,9);tz=cet", "2026-11-29T08:00:00Z", true, false},
		{"off=[(M-H,19),(F,17)]; on=[(S,10)]", "2026-11-27T17:00:00Z", true, false},
		{"off=[(M-H,19),(F,17)];on=[(S,10)]", "2026-11-28T10:00:00Z", false, true},
		{"off=(M-F,19)", "2026-12-25T19:00:00Z", false, false}, // a day to skip
		{"OFF=(m-f,19)", "2026-11-27T19:00:00Z", true, false},
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		s, err := react.ParseSchedule(tc.text, base)
		if err != nil {
			t.Error(err)
			continue
		}
		skip := []string{"2026-12-25"}
		if off, on := s.Due(s.Off, at, skip), s.Due(s.On, at, skip); off != tc.off || on != tc.on {
			t.Errorf("%q at %s: off %v, on %v", tc.text, tc.at, off, on)
		}
	}
	for _, text := range []string{"off", "off=(M-F)", "off=(M-F,24)", "off=(X,3)", "off=[(M,3)", "off=()", "tz=nowhere", "tz=local", "at=(M,3)", "never"} {
		if _, err := react.ParseSchedule(text, base); err == nil || !strings.Contains(err.Error(), "schedule") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
