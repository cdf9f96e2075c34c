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

// TestOffHours holds what is stopped and started, and what is not, on both sides
// of a change of the clock.
func TestOffHours(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		put := func(id, state string, pairs ...string) {
			w.put("aws_ec2_instance", id, row{"state_name": state, "tags": tagged(pairs...)})
		}
		put("default", "running", "off-hours", "true")
		put("own", "running", "off-hours", "off=(M-F,20)")
		put("zone", "running", "off-hours", "off=(M-F,21);tz=Europe/Berlin")
		put("winter", "running", "off-hours", "off=(M-F,20);tz=Europe/Berlin")
		put("weekend", "running", "off-hours", "off=(S-U,19)")
		put("odd", "running", "off-hours", "when it is dark")
		put("untagged", "running")
		put("off", "stopped", "off-hours", "true")
		put("guarded", "running", "off-hours", "true", "protected", "true")
		member := w.put("aws_ec2_instance", "member", row{"state_name": "running", "tags": tagged("off-hours", "true")})
		w.refer(member, "aws_ec2_instance", w.put("aws_autoscaling_auto_scaling_group", "group", row{}), "aws_autoscaling_auto_scaling_group")
		w.put("aws_ec2_instance", "unread", row{"state_name": "running", "tags": tagged("off-hours", "true"), "_unread": []string{"tags"}})
		p := w.planner()
		p.Fresh = 10000 * time.Hour
		odd := "skipped: schedule"
		for _, tc := range []struct {
			at, rule string
			want     map[string]string
		}{
			// Summer in Berlin: two hours before UTC.
			{"2026-06-15T19:30:00Z", "off-hours", map[string]string{
				"default": "StopInstances default", "zone": "StopInstances zone", "odd": odd, "guarded": "blocked: protected by its tag",
				"member": "blocked: it is managed by aws_autoscaling_auto_scaling_group", "unread": "skipped: its details could not be read",
			}},
			{"2026-06-15T20:30:00Z", "off-hours", map[string]string{"own": "StopInstances own", "odd": odd, "unread": "skipped"}},
			{"2026-06-13T19:30:00Z", "off-hours", map[string]string{"weekend": "StopInstances weekend", "odd": odd, "unread": "skipped"}},
			{"2026-06-16T07:00:00Z", "on-hours", map[string]string{"off": "StartInstances off"}},
			{"2026-06-16T08:00:00Z", "on-hours", map[string]string{}},
			// Winter: one hour.
			{"2026-12-14T19:30:00Z", "off-hours", map[string]string{
				"default": "StopInstances default", "winter": "StopInstances winter", "odd": odd, "guarded": "blocked", "member": "blocked", "unread": "skipped",
			}},
		} {
			at, err := time.Parse(time.RFC3339, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := p.Plan(t.Context(), rule(t, tc.rule, nil), at)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(tc.at)
			expect(t, plan, tc.want)
		}
	})
}
