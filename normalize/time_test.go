package normalize

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseTime(t *testing.T) {
	const null, bad = "NULL", "bad"
	for _, c := range []struct {
		in   string
		f    TimeFormat
		want string
	}{
		{"2024-03-12T09:30:15Z", TimeISO, "2024-03-12T09:30:15Z"},
		{"2024-03-12T09:30:15.123Z", TimeISO, "2024-03-12T09:30:15.123Z"},
		{"2024-03-12T09:30:15.123456Z", TimeISO, "2024-03-12T09:30:15.123456Z"},
		{"2024-03-12T09:30:15.123456789Z", TimeISO, "2024-03-12T09:30:15.123456Z"},
		{"2024-03-12T09:30:15.999999999Z", TimeISO, "2024-03-12T09:30:15.999999Z"},
		{"2024-03-12T09:30:15,5Z", TimeISO, "2024-03-12T09:30:15.5Z"},
		{"2024-03-12T09:30:15+00:00", TimeISO, "2024-03-12T09:30:15Z"},
		{"2024-03-12T09:30:15.000+0000", TimeISO, "2024-03-12T09:30:15Z"},
		{"2024-03-12T09:30:15-0700", TimeISO, "2024-03-12T16:30:15Z"},
		{"2024-03-12T09:30:15+05:30", TimeISO, "2024-03-12T04:00:15Z"},
		{"2024-03-12T09:30:15+02", TimeISO, "2024-03-12T07:30:15Z"},
		{"2024-03-12T09:00-05:00", TimeISO, "2024-03-12T14:00:00Z"},
		{"2024-03-12T09:00Z", TimeISO, "2024-03-12T09:00:00Z"},
		{"2024-03-12T09:00", TimeISO, "2024-03-12T09:00:00Z"},
		{"2024-03-12", TimeISO, "2024-03-12T00:00:00Z"},
		{"2024-03-12 09:30:15", TimeISO, "2024-03-12T09:30:15Z"},
		{"2024-03-12 09:30:15 UTC", TimeISO, "2024-03-12T09:30:15Z"},
		{"2024-03-12t09:30:15z", TimeISO, "2024-03-12T09:30:15Z"},
		{" 2024-03-12T09:30:15Z\n", TimeISO, "2024-03-12T09:30:15Z"},
		{"20240312T093015Z", TimeISO, "2024-03-12T09:30:15Z"},
		{"2016-12-31T23:59:60Z", TimeISO, "2017-01-01T00:00:00Z"},
		{"2024-02-29T00:00:00Z", TimeISO, "2024-02-29T00:00:00Z"},
		{"1969-12-31T23:59:59.5Z", TimeISO, "1969-12-31T23:59:59.5Z"},
		{"0001-01-01T00:00:01Z", TimeISO, "0001-01-01T00:00:01Z"},
		{"9999-12-31T23:59:59.999999Z", TimeISO, "9999-12-31T23:59:59.999999Z"},
		{"Tue, 12 Mar 2024 09:30:15 GMT", TimeISO, "2024-03-12T09:30:15Z"},

		{"Tue, 12 Mar 2024 09:30:15 GMT", TimeHTTP, "2024-03-12T09:30:15Z"},
		{"12 Mar 2024 09:30:15 +0100", TimeHTTP, "2024-03-12T08:30:15Z"},
		{"Tue, 2 Mar 2024 09:30:15 UTC", TimeHTTP, "2024-03-02T09:30:15Z"},
		{"Tuesday, 12-Mar-2024 09:30:15 GMT", TimeHTTP, "2024-03-12T09:30:15Z"},
		{"2024-03-12T09:30:15Z", TimeHTTP, "2024-03-12T09:30:15Z"},

		{"1710235815", EpochSeconds, "2024-03-12T09:30:15Z"},
		{"1710235815.123", EpochSeconds, "2024-03-12T09:30:15.123Z"},
		{"1710235815.123456789", EpochSeconds, "2024-03-12T09:30:15.123456Z"},
		{"1.710235815123E9", EpochSeconds, "2024-03-12T09:30:15.123Z"},
		{"1.710235815e+9", EpochSeconds, "2024-03-12T09:30:15Z"},
		{"17102358150E-1", EpochSeconds, "2024-03-12T09:30:15Z"},
		{"-1.5", EpochSeconds, "1969-12-31T23:59:58.5Z"},
		{"0", EpochSeconds, "1970-01-01T00:00:00Z"},
		{"1710235815000", EpochMillis, "2024-03-12T09:30:15Z"},
		{"1710235815123", EpochMillis, "2024-03-12T09:30:15.123Z"},
		{"1.710235815123E12", EpochMillis, "2024-03-12T09:30:15.123Z"},
		{"1710235815123456", EpochMicros, "2024-03-12T09:30:15.123456Z"},
		{"1710235815123456789", EpochNanos, "2024-03-12T09:30:15.123456Z"},
		{"2024-03-12T09:30:15Z", EpochSeconds, "2024-03-12T09:30:15Z"},
		{"2024-03-12T09:30:15Z", EpochMillis, "2024-03-12T09:30:15Z"},
		// The magnitude does not choose the unit.
		{"1710235815", EpochMillis, "1970-01-20T19:03:55.815Z"},
		{"1710235815000", EpochSeconds, bad},
		{"1710235815", TimeISO, bad},

		{"", TimeISO, null},
		{"  ", TimeISO, null},
		{"N/A", TimeISO, null},
		{"n/a", EpochSeconds, null},
		{"no_information", TimeISO, null},
		{"not_supported", TimeISO, null},
		{"0001-01-01T00:00:00Z", TimeISO, null},
		{"-62135596800", EpochSeconds, null},

		{"soon", TimeISO, bad},
		{"2024-03-12T", TimeISO, bad},
		{"2024-03-12T9:30:15Z", TimeISO, bad},
		{"2024-03-12T09:30:15.Z", TimeISO, bad},
		{"2024-03-12T09:30:15Zulu", TimeISO, bad},
		{"2024-03-12T24:00:00Z", TimeISO, bad},
		{"2024-02-30T00:00:00Z", TimeISO, bad},
		{"2023-02-29", TimeISO, bad},
		{"2024-13-01", TimeISO, bad},
		{"0000-01-01T00:00:00Z", TimeISO, bad},
		{"0001-01-01T00:00:00+01:00", TimeISO, bad},
		{"9999-12-31T23:59:59-01:00", TimeISO, bad},
		{"20240312", TimeISO, bad},
		{"Tue, 32 Mar 2024 09:30:15 GMT", TimeHTTP, bad},
		{"NaN", EpochSeconds, bad},
		{"1e999", EpochSeconds, bad},
		{"1e", EpochSeconds, bad},
		{"--1", EpochSeconds, bad},
		{".", EpochSeconds, bad},
		{"99999999999999999999999", EpochSeconds, bad},
	} {
		v, ok, err := ParseTime(c.in, c.f)
		got := bad
		switch {
		case ok:
			got = FormatTime(v)
		case err == nil:
			got = null
		}
		if got != c.want {
			t.Errorf("%q in format %d: got %s, want %s", c.in, c.f, got, c.want)
		}
	}
}

// A number where a text is described is seconds; a text where a number is
// described keeps the unit.
func TestTokenTypeChoosesTheFamily(t *testing.T) {
	for _, c := range []struct {
		in     string
		f      TimeFormat
		number bool
		want   string
	}{
		{"1710235815", TimeISO, true, "2024-03-12T09:30:15Z"},
		{"1710235815.5", TimeHTTP, true, "2024-03-12T09:30:15.5Z"},
		{"1710235815000", EpochMillis, true, "2024-03-12T09:30:15Z"},
	} {
		v, st := parseTime([]byte(c.in), c.f, c.number)
		if st != timeOK || FormatTime(v) != c.want {
			t.Errorf("%q: got %s (%d), want %s", c.in, FormatTime(v), st, c.want)
		}
	}
}

func TestTimesOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.Int64Range(minMicros+1, maxMicros).Draw(t, "micros")
		at := time.UnixMicro(micros).UTC()
		if got := FormatTime(micros); got != at.Format(time.RFC3339Nano) {
			t.Fatalf("format: got %s, want %s", got, at.Format(time.RFC3339Nano))
		}
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "zone"))
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000000-0700", "2006-01-02 15:04:05.000000Z07:00"} {
			s := at.In(zone).Format(layout)
			if y := at.In(zone).Year(); y < 1 || y > 9999 {
				continue
			}
			if v, ok, err := ParseTime(s, TimeISO); !ok || v != micros {
				t.Fatalf("%s: got %d %v %v, want %d", s, v, ok, err, micros)
			}
		}
		seconds := at.Truncate(time.Second)
		if v, ok, _ := ParseTime(seconds.Format(time.RFC1123), TimeHTTP); ok && v != seconds.UnixMicro() {
			t.Fatalf("%s: got %d", seconds.Format(time.RFC1123), v)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2024-03-12T09:30:15.123456789+05:30", "Tue, 12 Mar 2024 09:30:15 GMT", "1.7E9", "N/A", "20240312T093015Z", "-1"} {
		for format := TimeISO; format <= EpochNanos; format++ {
			f.Add(s, uint8(format))
		}
	}
	f.Fuzz(func(t *testing.T, s string, format uint8) {
		v, ok, err := ParseTime(s, TimeFormat(format))
		if ok && err != nil {
			t.Fatal("a time and an error")
		}
		if !ok {
			return
		}
		if v < minMicros || v > maxMicros {
			t.Fatalf("%q: %d is beyond the years", s, v)
		}
		text := FormatTime(v)
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || at.UnixMicro() != v {
			t.Fatalf("%q: %s: %v", s, text, err)
		}
		if v != minMicros {
			if again, ok, err := ParseTime(text, TimeISO); !ok || again != v {
				t.Fatalf("%q: %s: got %d %v %v", s, text, again, ok, err)
			}
		}
	})
}
