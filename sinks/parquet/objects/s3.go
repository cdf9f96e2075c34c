package objects

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
)

// bucket is a prefix of a bucket of S3 or of a server with its protocol.
// Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
type bucket struct {
	l      location
	client *s3.Client
	p      patience
	// custom says that the endpoint is not Amazon's.
	custom bool
	// uploads bounds the parts that are under way.
	uploads chan struct{}
	free    buffers
}

const (
	partSize    = 8 << 20 // bytes of a part of an upload
	maxParts    = 10_000  // of one upload
	uploads     = 4       // parts of all writers of a store under way
	deleteBatch = 1000    // keys of one DeleteObjects
	// writtenBy is the metadata by which a writer knows its own object.
	writtenBy = "dewpoint-write"
)

func openS3(ctx context.Context, l location, p patience) (Store, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithHTTPClient(newS3Transport(p.stall)),
		config.WithRetryer(func() aws.Retryer { return newRetryer(p.attempts) }),
	}
	if profile := l.params.Get("profile"); profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(profile))
	}
	if r := l.params.Get("region"); r != "" {
		opts = append(opts, config.WithRegion(r))
	}
	pathStyle, err := strconv.ParseBool(orDefault(l.params.Get("path_style"), "false"))
	if err != nil {
		return nil, fmt.Errorf("objects: %s: path_style is %q: write true or false", l, l.params.Get("path_style"))
	}
	if e := l.params.Get("endpoint"); e != "" && !strings.HasPrefix(e, "http://") && !strings.HasPrefix(e, "https://") {
		return nil, fmt.Errorf("objects: %s: the endpoint must begin with http:// or https://", l)
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		var missing config.SharedConfigProfileNotExistError
		if errors.As(err, &missing) {
			return nil, fmt.Errorf("objects: %s: there is no profile %q in the shared config files: check ~/.aws/config or AWS_CONFIG_FILE", l, missing.Profile)
		}
		return nil, fmt.Errorf("objects: %s: %w", l, err)
	}
	b := &bucket{l: l, p: p, uploads: make(chan struct{}, uploads), free: make(buffers, uploads)}
	b.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if e := l.params.Get("endpoint"); e != "" {
			o.BaseEndpoint = &e
		}
		b.custom = o.BaseEndpoint != nil
		// Servers other than Amazon's seldom answer to names of buckets as hosts.
		o.UsePathStyle = pathStyle || b.custom && !l.params.Has("path_style")
		if b.custom && o.Region == "" {
			o.Region = "us-east-1"
		}
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return b, nil
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// newRetryer tries for about a minute. Waits are short at first, for what asks
// to slow down has seldom a long reason.
func newRetryer(attempts int) aws.Retryer {
	r := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return backoff(attempt), nil
		})
	})
	// The codes by which S3 refuses one of two writes at once.
	return retry.AddWithErrorCodes(r, "ConditionalRequestConflict", "OperationAborted")
}

func newS3Transport(stall time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { tune(t, stall) })
}

// tune gives up connections on which nothing moves for the time stall.
func tune(t *http.Transport, stall time.Duration) {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &movingConn{Conn: c, stall: stall}, nil
	}
	t.ResponseHeaderTimeout = stall
	t.IdleConnTimeout = min(stall, 50*time.Second)
	t.MaxIdleConnsPerHost = 32
	t.DisableCompression = true
}

func (b *bucket) URL() string  { return b.l.String() }
func (b *bucket) Close() error { return nil }

// object returns the key in the bucket.
func (b *bucket) object(key string) *string { return aws.String(b.l.prefix + key) }

func (b *bucket) Get(ctx context.Context, key string) ([]byte, Info, error) {
	if err := checkKey(key); err != nil {
		return nil, Info{}, err
	}
	for attempt := 1; ; attempt++ {
		out, err := b.client.GetObject(ctx, &s3.GetObjectInput{
			Bucket: &b.l.bucket, Key: b.object(key), ChecksumMode: types.ChecksumModeEnabled,
		})
		if err != nil {
			return nil, Info{}, b.fail("read", key, err)
		}
		data, err := io.ReadAll(out.Body)
		out.Body.Close()
		if err == nil {
			return data, Info{Key: key, Size: int64(len(data)), Tag: aws.ToString(out.ETag), ModifiedAt: aws.ToTime(out.LastModified)}, nil
		}
		if err := b.p.again(ctx, attempt, err); err != nil {
			return nil, Info{}, b.fail("read", key, err)
		}
	}
}

func (b *bucket) Open(ctx context.Context, key string) (*Reader, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	// A range of one byte tells the size and, other than HEAD, what is wrong.
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.l.bucket, Key: b.object(key), Range: aws.String("bytes=0-0")})
	if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
		out, err = b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.l.bucket, Key: b.object(key)})
	}
	if err != nil {
		return nil, b.fail("read", key, err)
	}
	out.Body.Close()
	info := Info{Key: key, Size: aws.ToInt64(out.ContentLength), Tag: aws.ToString(out.ETag), ModifiedAt: aws.ToTime(out.LastModified)}
	if out.ContentRange != nil {
		_, total, _ := strings.Cut(*out.ContentRange, "/")
		if info.Size, err = strconv.ParseInt(total, 10, 64); err != nil {
			return nil, fmt.Errorf("read %s: the server answers with the range %q", b.name(key), *out.ContentRange)
		}
	}
	get := func(ctx context.Context, offset, n int64) (io.ReadCloser, error) {
		out, err := b.client.GetObject(ctx, &s3.GetObjectInput{
			Bucket: &b.l.bucket, Key: b.object(key), IfMatch: &info.Tag,
			Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+n-1)),
		})
		if err == nil {
			return out.Body, nil
		}
		if err = b.fail("read", key, err); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrChanged, err)
		}
		return nil, err
	}
	return newReader(info, &ranges{ctx: ctx, size: info.Size, get: get, again: func(ctx context.Context, attempt int, err error) error {
		return b.fail("read", key, b.p.again(ctx, attempt, err))
	}}), nil
}

func (b *bucket) Create(ctx context.Context, key string, data []byte) (Info, error) {
	info, err := b.put(ctx, key, data, func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") })
	if errors.Is(err, ErrChanged) {
		err = fmt.Errorf("create %s: %w", b.name(key), fs.ErrExist)
	}
	return info, err
}

func (b *bucket) Replace(ctx context.Context, key string, data []byte, tag string) (Info, error) {
	info, err := b.put(ctx, key, data, func(in *s3.PutObjectInput) { in.IfMatch = &tag })
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return info, err
}

// put writes a small object on a condition.
func (b *bucket) put(ctx context.Context, key string, data []byte, condition func(*s3.PutObjectInput)) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	id := rand.Text()
	in := b.putInput(key, data, id)
	condition(in)
	out, err := b.client.PutObject(ctx, in)
	if err == nil {
		info := Info{Key: key, Size: int64(len(data)), Tag: aws.ToString(out.ETag), ModifiedAt: time.Now()}
		return info, b.verifyPut(key, data, out)
	}
	failed := b.fail("write", key, err)
	answered := statusOf(err) != 0
	if answered && !errors.Is(failed, ErrChanged) && statusOf(err) < 500 {
		return Info{}, failed
	}
	// An attempt whose answer was lost may have written the object, and the
	// next one then finds it there.
	info, mine, herr := b.written(ctx, key, id)
	switch {
	case mine:
		return info, nil
	case errors.Is(failed, ErrChanged) && (herr == nil || errors.Is(herr, fs.ErrNotExist)):
		return Info{}, failed
	case answered && statusOf(err) == http.StatusServiceUnavailable:
		return Info{}, failed
	}
	return Info{}, &UnknownError{Err: failed}
}

// written says whether an object is the one that the write id made.
func (b *bucket) written(ctx context.Context, key, id string) (Info, bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.l.bucket, Key: b.object(key)})
	if err != nil {
		return Info{}, false, b.fail("read", key, err)
	}
	info := Info{Key: key, Size: aws.ToInt64(out.ContentLength), Tag: aws.ToString(out.ETag), ModifiedAt: aws.ToTime(out.LastModified)}
	return info, out.Metadata[writtenBy] == id, nil
}

func (b *bucket) putInput(key string, data []byte, id string) *s3.PutObjectInput {
	return &s3.PutObjectInput{
		Bucket: &b.l.bucket, Key: b.object(key), Body: bytes.NewReader(data),
		ContentLength: aws.Int64(int64(len(data))), ChecksumCRC32C: aws.String(crc32c(data)),
		Metadata: map[string]string{writtenBy: id},
	}
}

func (b *bucket) verifyPut(key string, data []byte, out *s3.PutObjectOutput) error {
	tag := aws.ToString(out.ETag)
	if out.ServerSideEncryption != "" && out.ServerSideEncryption != types.ServerSideEncryptionAes256 || out.SSECustomerAlgorithm != nil {
		tag = "" // not the MD5 of the content
	}
	return b.verify(key, data, aws.ToString(out.ChecksumCRC32C), tag)
}

// verify compares what the server says that it stored.
func (b *bucket) verify(key string, data []byte, crc, tag string) error {
	if crc != "" && crc != crc32c(data) || crc == "" && isMD5(tag) && tag != md5Tag(data) {
		return fmt.Errorf("write %s: the server stored other bytes than it was sent", b.name(key))
	}
	return nil
}

func (b *bucket) Remove(ctx context.Context, key, tag string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	// S3 reports success for what is not there, and a server may not know the
	// condition.
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.l.bucket, Key: b.object(key)})
	if err == nil && aws.ToString(out.ETag) != tag {
		return fmt.Errorf("remove %s: %w", b.name(key), ErrChanged)
	}
	if err == nil {
		_, err = b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.l.bucket, Key: b.object(key), IfMatch: &tag})
	}
	if err = b.fail("remove", key, err); errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}

func (b *bucket) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.l.bucket, Prefix: b.object(prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Info{}, b.fail("list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				info := Info{
					Key: strings.TrimPrefix(aws.ToString(o.Key), b.l.prefix), Size: aws.ToInt64(o.Size),
					Tag: aws.ToString(o.ETag), ModifiedAt: aws.ToTime(o.LastModified),
				}
				if strings.HasSuffix(info.Key, "/") {
					continue // what consoles make to show a folder
				}
				if !yield(info, nil) {
					return
				}
			}
		}
	}
}

func (b *bucket) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	for attempt := 1; len(keys) > 0; {
		n := min(len(keys), deleteBatch)
		batch := make([]types.ObjectIdentifier, n)
		for i, key := range keys[:n] {
			batch[i].Key = b.object(key)
		}
		out, err := b.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &b.l.bucket, Delete: &types.Delete{Objects: batch, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return b.fail("delete", keys[0], err)
		}
		keys = keys[n:]
		if len(out.Errors) == 0 {
			continue
		}
		for _, e := range out.Errors {
			keys = append(keys[:len(keys):len(keys)], strings.TrimPrefix(aws.ToString(e.Key), b.l.prefix))
		}
		e := out.Errors[0]
		err = &keyError{code: aws.ToString(e.Code), message: aws.ToString(e.Message)}
		if err := b.p.again(ctx, attempt, err); err != nil {
			return b.fail("delete", strings.TrimPrefix(aws.ToString(e.Key), b.l.prefix), err)
		}
		attempt++
	}
	return nil
}

// Sweep aborts the multipart uploads that were begun before the time.
func (b *bucket) Sweep(ctx context.Context, before time.Time) error {
	pages := s3.NewListMultipartUploadsPaginator(b.client, &s3.ListMultipartUploadsInput{Bucket: &b.l.bucket, Prefix: &b.l.prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return b.fail("list the uploads of", "", err)
		}
		for _, u := range page.Uploads {
			if aws.ToTime(u.Initiated).Before(before) {
				if err := b.abort(ctx, aws.ToString(u.Key), aws.ToString(u.UploadId)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
