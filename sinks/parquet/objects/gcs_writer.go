package objects

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// gcsWriter collects chunks and uploads one while the next is written, since
// Google takes the chunks of an upload one after the other. What is no larger
// than a chunk is inserted at once. Resumable uploads:
// https://cloud.google.com/storage/docs/performing-resumable-uploads
type gcsWriter struct {
	g       *gcs
	ctx     context.Context
	key     string
	id      string
	buf     []byte
	size    int64
	crc     uint32
	session string     // URL of the upload, if begun
	sent    int64      // bytes handed over to be sent
	sending chan error // of the chunk that is on its way, nil if none is
	stored  *resource  // what the last chunk made
	err     error      // the first failure
	done    bool
	cancel  context.CancelFunc
}

func (g *gcs) Writer(ctx context.Context, key string) Writer {
	w := &gcsWriter{g: g, key: key, id: rand.Text(), err: checkKey(key)}
	w.ctx, w.cancel = context.WithCancel(ctx)
	return w
}

func (w *gcsWriter) failed() error {
	switch {
	case w.done:
		return fs.ErrClosed
	case w.err == nil:
		w.err = w.ctx.Err()
	}
	return w.err
}

func (w *gcsWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if err := w.failed(); err != nil {
			return total - len(p), err
		}
		if len(w.buf) == partSize {
			if w.err = w.send(false); w.err != nil {
				return total - len(p), w.err
			}
		}
		n := min(len(p), partSize-len(w.buf))
		w.buf = append(slices.Grow(w.buf, n), p[:n]...)
		w.crc = crc32.Update(w.crc, castagnoli, p[:n])
		w.size += int64(n)
		p = p[n:]
	}
	return total, w.failed()
}

// send begins to upload the collected chunk once the one before it is stored.
func (w *gcsWriter) send(last bool) error {
	if w.session == "" {
		if err := w.begin(); err != nil {
			return w.g.fail("write", w.key, err)
		}
	}
	if err := w.wait(); err != nil {
		return err
	}
	chunk, offset := w.buf, w.sent
	w.buf, w.sent = w.g.free.get(), w.sent+int64(len(chunk))
	total := "*"
	if last {
		total = strconv.FormatInt(w.size, 10)
	}
	select {
	case w.g.uploads <- struct{}{}:
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	sending := make(chan error, 1)
	w.sending = sending
	go func() {
		defer func() { <-w.g.uploads }()
		sending <- w.put(chunk, offset, total)
	}()
	return nil
}

// wait waits for the chunk that is on its way.
func (w *gcsWriter) wait() error {
	if w.sending == nil {
		return nil
	}
	err := <-w.sending
	w.sending = nil
	return w.g.fail("write", w.key, err)
}

func (w *gcsWriter) begin() error {
	meta, err := json.Marshal(resource{Name: w.g.l.prefix + w.key, Metadata: map[string]string{writtenBy: w.id}})
	if err != nil {
		return err
	}
	resp, err := w.g.do(w.ctx, request{
		method: http.MethodPost, url: w.g.upload("resumable"), body: meta,
		header: http.Header{"Content-Type": {"application/json; charset=UTF-8"}},
	})
	if err != nil {
		return err
	}
	if w.session = resp.Header.Get("Location"); w.session == "" {
		return errors.New("the server began no upload")
	}
	return nil
}

// put uploads a chunk. After a failure it asks how much of it was stored.
func (w *gcsWriter) put(chunk []byte, offset int64, total string) error {
	end := offset + int64(len(chunk))
	at, clean := offset, true
	for attempt := 1; ; {
		resp, err := w.g.once(w.ctx, request{
			method: http.MethodPut, url: w.session, body: chunk[at-offset:], resume: true,
			header: http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%s", at, end-1, total)}},
		})
		for err != nil {
			clean = false
			if err := w.g.p.again(w.ctx, attempt, err); err != nil {
				return err
			}
			attempt++
			resp, err = w.g.once(w.ctx, request{
				method: http.MethodPut, url: w.session, resume: true, header: http.Header{"Content-Range": {"bytes */" + total}},
			})
		}
		if resp.StatusCode != http.StatusPermanentRedirect {
			r, err := decode(resp)
			if err == nil && total == "*" {
				err = errors.New("the server ended the upload early")
			}
			w.stored = &r
			return err
		}
		stored, err := storedEnd(resp)
		switch {
		case err != nil:
			return err
		case stored == end && total == "*":
			// A request that failed may still be sending the buffer.
			if clean {
				w.g.free.put(chunk)
			}
			return nil
		case stored < at || stored > end || stored == at && attempt >= w.g.p.attempts:
			return fmt.Errorf("the server stored %d bytes of %d", stored, end)
		case stored == at:
			attempt++
		default:
			attempt = 1
		}
		at = stored
	}
}

// storedEnd returns how many bytes of an upload are stored.
func storedEnd(resp *http.Response) (int64, error) {
	r := resp.Header.Get("Range")
	if r == "" {
		return 0, nil
	}
	last, ok := strings.CutPrefix(r, "bytes=0-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("the server answers with the range %q", r)
	}
	return n + 1, nil
}

func (w *gcsWriter) Commit() (Info, error) {
	defer w.Abort()
	if err := w.failed(); err != nil {
		return Info{}, err
	}
	if w.session == "" {
		return w.commitWhole()
	}
	if w.err = w.send(true); w.err == nil {
		w.err = w.wait()
	}
	if w.err != nil && w.ctx.Err() == nil {
		// The upload may have ended in an object all the same.
		if r, err := w.g.describe(w.ctx, w.key); err == nil && r.Metadata[writtenBy] == w.id {
			w.stored, w.err = &r, nil
		}
	}
	if w.err != nil {
		return Info{}, w.err
	}
	w.done = true
	if r := w.stored; r.Size != w.size || r.CRC32C != encodeCRC32C(w.crc) {
		w.err = fmt.Errorf("write %s: the server stored other bytes than it was sent", w.g.name(w.key))
		return Info{}, errors.Join(w.err, w.g.Remove(w.ctx, w.key, r.Generation))
	}
	return w.g.info(*w.stored), nil
}

func (w *gcsWriter) commitWhole() (Info, error) {
	info, err := w.g.insert(w.ctx, w.key, w.buf, w.id, "")
	if status := codeOf(err); err != nil && (status == 0 || status >= 500) {
		if again, mine, _ := w.g.written(w.ctx, w.key, w.id); mine {
			info, err = again, nil
		}
	}
	if w.err = w.g.fail("write", w.key, err); w.err != nil {
		return Info{}, w.err
	}
	w.done = true
	return info, nil
}

func (w *gcsWriter) Abort() {
	w.cancel()
	if w.sending != nil {
		<-w.sending
		w.sending = nil
	}
	if !w.done && w.session != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), cleanupTimeout)
		defer cancel()
		// The answer is 499 where it succeeds; an upload that cannot be ended
		// ends after a week.
		_, _ = w.g.once(ctx, request{method: http.MethodDelete, url: w.session})
	}
	w.done, w.buf = true, nil
}
