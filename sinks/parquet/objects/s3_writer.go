package objects

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
)

// bucketWriter collects parts and uploads them while the next one is written.
// What is no larger than a part is put at once.
type bucketWriter struct {
	b      *bucket
	ctx    context.Context // ends with the caller's, or with the first failure
	cancel context.CancelCauseFunc
	key    string
	id     string
	buf    []byte
	size   int64
	upload string // id of the multipart upload, if begun
	parts  int32
	done   bool
	wg     sync.WaitGroup

	mu       sync.Mutex
	uploaded []types.CompletedPart
}

var errEnded = errors.New("the writer was ended")

func (b *bucket) Writer(ctx context.Context, key string) Writer {
	w := &bucketWriter{b: b, key: key, id: rand.Text()}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	if err := checkKey(key); err != nil {
		w.cancel(err)
	}
	return w
}

// failed returns the first failure.
func (w *bucketWriter) failed() error {
	if w.done {
		return fs.ErrClosed
	}
	return context.Cause(w.ctx)
}

func (w *bucketWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if err := w.failed(); err != nil {
			return total - len(p), err
		}
		// A part is sent when more comes: the last one may be smaller than
		// the others but is not empty.
		if len(w.buf) == partSize {
			if err := w.send(); err != nil {
				w.cancel(err)
				return total - len(p), err
			}
		}
		n := min(len(p), partSize-len(w.buf))
		w.buf = append(slices.Grow(w.buf, min(n, partSize-len(w.buf))), p[:n]...)
		w.size += int64(n)
		p = p[n:]
	}
	return total, w.failed()
}

// send begins to upload the collected part.
func (w *bucketWriter) send() error {
	if w.upload == "" {
		out, err := w.b.client.CreateMultipartUpload(w.ctx, &s3.CreateMultipartUploadInput{
			Bucket: &w.b.l.bucket, Key: w.b.object(w.key), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
			Metadata: map[string]string{writtenBy: w.id},
		})
		if err != nil {
			w.abortUnknown()
			return w.b.fail("write", w.key, err)
		}
		w.upload = aws.ToString(out.UploadId)
		if attempts(out.ResultMetadata) > 1 {
			w.abortUnknown()
		}
	}
	if w.parts++; w.parts > maxParts {
		return fmt.Errorf("write %s: it is larger than %d parts of %d bytes", w.b.name(w.key), maxParts, partSize)
	}
	select {
	case w.b.uploads <- struct{}{}:
	case <-w.ctx.Done():
		return w.failed()
	}
	number, data := w.parts, w.buf
	w.buf = w.b.free.get()
	w.wg.Go(func() {
		defer func() { <-w.b.uploads }()
		if err := w.put(number, data); err != nil {
			w.cancel(err)
		}
	})
	return nil
}

func (w *bucketWriter) put(number int32, data []byte) error {
	out, err := w.b.client.UploadPart(w.ctx, &s3.UploadPartInput{
		Bucket: &w.b.l.bucket, Key: w.b.object(w.key), UploadId: &w.upload, PartNumber: &number,
		Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))), ChecksumCRC32C: aws.String(crc32c(data)),
	})
	if err != nil {
		return w.b.fail("write", w.key, err)
	}
	tag := aws.ToString(out.ETag)
	if out.ServerSideEncryption != "" && out.ServerSideEncryption != types.ServerSideEncryptionAes256 || out.SSECustomerAlgorithm != nil {
		tag = ""
	}
	if err := w.b.verify(w.key, data, aws.ToString(out.ChecksumCRC32C), tag); err != nil {
		return err
	}
	// An attempt that failed may still be sending the buffer.
	if attempts(out.ResultMetadata) == 1 {
		w.b.free.put(data)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.uploaded = append(w.uploaded, types.CompletedPart{ETag: out.ETag, PartNumber: &number, ChecksumCRC32C: out.ChecksumCRC32C})
	return nil
}

func (w *bucketWriter) Commit() (Info, error) {
	defer w.Abort()
	if err := w.failed(); err != nil {
		return Info{}, err
	}
	if w.upload == "" {
		return w.commitWhole()
	}
	if err := w.send(); err != nil {
		return Info{}, err
	}
	w.wg.Wait()
	if err := w.failed(); err != nil {
		return Info{}, err
	}
	slices.SortFunc(w.uploaded, func(a, b types.CompletedPart) int { return cmp.Compare(*a.PartNumber, *b.PartNumber) })
	out, err := w.b.client.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &w.b.l.bucket, Key: w.b.object(w.key), UploadId: &w.upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: w.uploaded},
	})
	if err != nil {
		return w.recover(err)
	}
	w.done = true
	return Info{Key: w.key, Size: w.size, Tag: aws.ToString(out.ETag), ModifiedAt: time.Now()}, nil
}

func (w *bucketWriter) commitWhole() (Info, error) {
	out, err := w.b.client.PutObject(w.ctx, w.b.putInput(w.key, w.buf, w.id))
	if err != nil {
		return w.recover(err)
	}
	if err := w.b.verifyPut(w.key, w.buf, out); err != nil {
		return Info{}, err
	}
	w.done = true
	return Info{Key: w.key, Size: w.size, Tag: aws.ToString(out.ETag), ModifiedAt: time.Now()}, nil
}

// recover finds out whether a write succeeded whose answer was lost: a second
// request to complete an upload is told that there is none.
func (w *bucketWriter) recover(err error) (Info, error) {
	failed := w.b.fail("write", w.key, err)
	if status := statusOf(err); status != 0 && status != http.StatusNotFound && status < 500 {
		return Info{}, failed
	}
	info, mine, herr := w.b.written(w.ctx, w.key, w.id)
	if herr == nil && mine && info.Size == w.size {
		w.done = true
		return info, nil
	}
	return Info{}, failed
}

func (w *bucketWriter) Abort() {
	if w.done {
		w.cancel(nil)
		return
	}
	w.cancel(errEnded)
	w.wg.Wait()
	cut := int(w.parts) > len(w.uploaded)
	w.done, w.buf, w.uploaded = true, nil, nil
	if w.upload != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), cleanupTimeout)
		defer cancel()
		// What cannot be aborted now is left to Sweep.
		_ = w.b.abort(ctx, *w.b.object(w.key), w.upload)
		if cut {
			// A server may go on for a while with a part that it was sent half of.
			time.Sleep(settleTime)
			_ = w.b.abort(ctx, *w.b.object(w.key), w.upload)
		}
	}
}

// settleTime is what a server is given to notice that a part was cut.
const settleTime = 250 * time.Millisecond

// abortUnknown aborts uploads of the key that are not the writer's: those begun
// by requests whose answers were lost.
func (w *bucketWriter) abortUnknown() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), cleanupTimeout)
	defer cancel()
	object := w.b.object(w.key)
	pages := s3.NewListMultipartUploadsPaginator(w.b.client, &s3.ListMultipartUploadsInput{Bucket: &w.b.l.bucket, Prefix: object})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return // left to Sweep
		}
		for _, u := range page.Uploads {
			if id := aws.ToString(u.UploadId); aws.ToString(u.Key) == *object && id != w.upload {
				_ = w.b.abort(ctx, *object, id)
			}
		}
	}
}

// attempts returns how often a request was sent.
func attempts(m middleware.Metadata) int {
	r, _ := retry.GetAttemptResults(m)
	return len(r.Results)
}

// abort ends a multipart upload and makes sure that no part is left, as may
// be where one was on its way meanwhile:
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func (b *bucket) abort(ctx context.Context, object, upload string) error {
	for range 3 {
		_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.l.bucket, Key: &object, UploadId: &upload})
		if err == nil {
			_, err = b.client.ListParts(ctx, &s3.ListPartsInput{Bucket: &b.l.bucket, Key: &object, UploadId: &upload})
		}
		if statusOf(err) == http.StatusNotFound {
			return nil
		}
		if err != nil {
			return b.fail("abort the upload of", object[len(b.l.prefix):], err)
		}
	}
	return nil
}
