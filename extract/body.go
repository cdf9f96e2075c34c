package extract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxPooledBytes is the largest buffer that is kept for another answer.
const maxPooledBytes = 4 << 20

// Bodies reads the bodies of answers whole into buffers that it keeps for the
// next ones. The zero value is ready to use, by several at once.
type Bodies struct {
	pool sync.Pool
	last atomic.Int64 // the length of the last body, which the next may have too
}

// Body is the body of an answer.
type Body struct {
	buf  *bytes.Buffer
	pool *Bodies
}

// TooLargeError says that a body is larger than it may be.
type TooLargeError struct{ Limit int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d bytes", e.Limit)
}

// Read reads a body of at most limit bytes; a larger one is a *TooLargeError.
func (b *Bodies) Read(r io.Reader, limit int64) (*Body, error) {
	buf, _ := b.pool.Get().(*bytes.Buffer)
	if buf == nil {
		buf = new(bytes.Buffer)
		buf.Grow(int(min(b.last.Load()+b.last.Load()/8, limit, maxPooledBytes/2)) + bytes.MinRead)
	}
	body := &Body{buf: buf, pool: b}
	n, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	b.last.Store(n)
	if err == nil && n > limit {
		err = &TooLargeError{Limit: limit}
	}
	if err != nil {
		body.Release()
		return nil, err
	}
	return body, nil
}

// Bytes are the body, valid until Release.
func (b *Body) Bytes() []byte { return b.buf.Bytes() }

// Release gives the buffer back. It may be called once; on nil it does
// nothing.
func (b *Body) Release() {
	if b == nil {
		return
	}
	if b.buf.Cap() <= maxPooledBytes {
		b.buf.Reset()
		b.pool.pool.Put(b.buf)
	}
	b.buf = nil
}

// MaxRetryAfter bounds how long an answer can make its caller wait.
const MaxRetryAfter = time.Minute

// RetryAfter is how long the header of an answer asks to wait, at most a
// minute; 0 if it does not.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), int64(MaxRetryAfter/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), MaxRetryAfter)
	}
	return 0
}

// ExcerptBytes is how long an excerpt is at most.
const ExcerptBytes = 200

// markup is what a page has beside its text.
var markup = regexp.MustCompile(`(?is)<!--.*?-->|<(script|style)\b.*?(</(script|style)>|$)|<[^>]*>`)

// page matches a body that is one.
var page = regexp.MustCompile(`(?i)^\s*(<!doctype html|<html)\b`)

// Excerpt is the beginning of a body that is no answer, as one line of text; of
// a page, which a proxy or a portal answers with, what people would read there.
func Excerpt(body []byte) string {
	body = body[:min(len(body), 1<<16)]
	if page.Match(body) {
		body = markup.ReplaceAllLiteral(body, []byte(" "))
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "")), " ")
	return strings.TrimSpace(strings.ToValidUTF8(text[:min(len(text), ExcerptBytes)], ""))
}
