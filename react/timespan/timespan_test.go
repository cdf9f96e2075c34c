package timespan

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"3d2h": 3*Day + 2*time.Hour, "1yr 2mo and 3 days": (365 + 62 + 3) * Day, "P1DT2H": Day + 2*time.Hour,
		"2y": 730 * Day, "2 years": 730 * Day, "1mo": 31 * Day, "1month": 31 * Day, "2w": 14 * Day, "1week": 7 * Day,
		"90min": 90 * time.Minute, "90 minutes": 90 * time.Minute, "1h30min": 90 * time.Minute, "12h": 12 * time.Hour,
		"45s": 45 * time.Second, "1 day, 2 hours and 3 seconds": Day + 2*time.Hour + 3*time.Second, "1.5d": 36 * time.Hour,
		"-3d": -3 * Day, "+3d": 3 * Day, "-P1D": -Day, "P1M": 31 * Day, "PT1M": time.Minute, "P1W": 7 * Day, "P1Y2M3DT4H5M6S": (365+62+3)*Day + 4*time.Hour + 5*time.Minute + 6*time.Second,
		" 14d ": 14 * Day, "3D": 3 * Day, "2 Weeks": 14 * Day, "PT0.5S": 500 * time.Millisecond, "1d and 2h": Day + 2*time.Hour, "0d": 0,
		"two years": 730 * Day, "a week": 7 * Day, "an hour": time.Hour, "Twelve Months and one day": 12*31*Day + Day, "-two days": -2 * Day,
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"5m", "5M", "1h30m", "2y 3M", "-5m", "five m"} {
		if _, err := Parse(text); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("Parse(%q) is not ambiguous: %v", text, err)
		}
	}
	for _, text := range []string{
		"", " ", "never", "next year", "two", "twoyears", "twenty years", "two three days", "half a year", "a", "3", "d", "3x", "3d 4", "P", "PT", "P1", "P1DT", "1d--2h", "3d2h!", "1e9y", "99999999999y", "300y",
		"2027-01-01", "1,5d", "3 d d", "NaNd", "Infd", "0x10d", "١d", "1d;DROP",
	} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, got)
		}
	}
}

func TestInstant(t *testing.T) {
	for text, want := range map[string]string{
		"2027-01-31": "2027-02-01T00:00:00Z", "20270131": "2027-02-01T00:00:00Z", "2027-01-31T12:00:00Z": "2027-01-31T12:00:00Z",
		"2027-01-31T12:00:00+02:00": "2027-01-31T10:00:00Z", "2027-01-31T12:00:00+0200": "2027-01-31T10:00:00Z", "2027-01-31T12:00+02": "2027-01-31T10:00:00Z",
		"2027-01-31 12:00:00": "2027-01-31T12:00:00Z", "2027-01-31 12:00:00 UTC": "2027-01-31T12:00:00Z", "2027-01-31T12:00": "2027-01-31T12:00:00Z",
		"2027-01-31T12:00:00.123456Z": "2027-01-31T12:00:00.123456Z", "2027-01-31 12:00:00 +0200": "2027-01-31T10:00:00Z", "2027-01-31t12:00:00z": "2027-01-31T12:00:00Z",
		"20270131T120000Z": "2027-01-31T12:00:00Z",
	} {
		got, err := Instant(text)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("Instant(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "never", "3d", "2027-13-01", "2027-02-30", "31.01.2027", "01/02/2027", "tomorrow", "1767225600", "2027", "2027-01", "2027-01-31T25:00:00Z"} {
		if got, err := Instant(text); err == nil {
			t.Errorf("Instant(%q) = %v, want an error", text, got)
		}
	}
}

func TestFormatIsParsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-int64(200*365*Day), int64(200*365*Day)).Draw(t, "ns") / 1e6 * 1e6)
		got, err := Parse(Format(d))
		if err != nil || got != d {
			t.Fatalf("Parse(Format(%v)) = %v, %v", d, got, err)
		}
	})
}
