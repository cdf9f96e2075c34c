package extract

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestBodiesAreReadWholeAndCapped(t *testing.T) {
	var bodies Bodies
	for range 3 {
		b, err := bodies.Read(iotest.OneByteReader(strings.NewReader("0123456789")), 10)
		if err != nil || string(b.Bytes()) != "0123456789" {
			t.Fatalf("%v, %v", b, err)
		}
		b.Release()
	}
	_, err := bodies.Read(strings.NewReader("0123456789a"), 10)
	var large *TooLargeError
	if !errors.As(err, &large) || large.Limit != 10 {
		t.Error(err)
	}
	failure := errors.New("cut")
	if _, err := bodies.Read(iotest.ErrReader(failure), 10); !errors.Is(err, failure) {
		t.Error(err)
	}
	if b, err := bodies.Read(strings.NewReader(""), 10); err != nil || len(b.Bytes()) != 0 {
		t.Error("a buffer keeps what was in it before", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "900": time.Minute, "soon": 0,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0, "Sat, 03 Jan 2026 03:04:00 GMT": time.Minute,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
}

func TestExcerptsArePeoplesText(t *testing.T) {
	for body, want := range map[string]string{
		"": "", "a\n\tb": "a b", "<Error><Code>X</Code></Error>": "<Error><Code>X</Code></Error>", "a\xffb": "ab",
		strings.Repeat("ä", 150): strings.Repeat("ä", 100), strings.Repeat("x", 500): strings.Repeat("x", ExcerptBytes),
		"\n<!DOCTYPE html>\n<html><head><title>404</title><style>p {color: red}</style><script>if (a<b) {}</script></head><body><!-- x --><p class=\"y\">Not\nhere</p>": "404 Not here",
		"<HTML><script>" + strings.Repeat("x", 1000): "",
	} {
		if got := Excerpt([]byte(body)); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}
