package objects

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// gcs is a prefix of a bucket of Google Cloud Storage, over its JSON API:
// https://cloud.google.com/storage/docs/json_api/v1
type gcs struct {
	l        location
	endpoint string
	client   func() (*http.Client, error)
	close    func()
	p        patience
	// uploads bounds the chunks that are under way.
	uploads chan struct{}
	free    buffers
}

func openGCS(_ context.Context, l location, p patience) (Store, error) {
	endpoint := strings.TrimSuffix(l.params.Get("endpoint"), "/")
	anonymous := false
	if host := os.Getenv("STORAGE_EMULATOR_HOST"); host != "" && endpoint == "" {
		endpoint, anonymous = strings.TrimSuffix(host, "/"), true
		if !strings.Contains(endpoint, "://") {
			endpoint = "http://" + endpoint
		}
	}
	switch {
	case endpoint == "":
		endpoint = "https://storage.googleapis.com"
	case strings.HasPrefix(endpoint, "http://"):
		anonymous = true
	case !strings.HasPrefix(endpoint, "https://"):
		return nil, fmt.Errorf("objects: %s: the endpoint must begin with http:// or https://", l)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	tune(transport, p.stall)
	return &gcs{
		l: l, endpoint: endpoint, p: p, uploads: make(chan struct{}, uploads), free: make(buffers, uploads), close: transport.CloseIdleConnections,
		client: sync.OnceValues(func() (*http.Client, error) { return googleClient(transport, anonymous) }),
	}, nil
}

func (g *gcs) URL() string { return g.l.String() }

func (g *gcs) Close() error {
	g.close()
	return nil
}

// resource is the description of an object:
// https://cloud.google.com/storage/docs/json_api/v1/objects
type resource struct {
	Name       string            `json:"name"`
	Size       int64             `json:"size,string,omitempty"`
	Generation string            `json:"generation,omitempty"`
	Updated    time.Time         `json:"updated,omitzero"`
	CRC32C     string            `json:"crc32c,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

func (g *gcs) info(r resource) Info {
	return Info{Key: strings.TrimPrefix(r.Name, g.l.prefix), Size: r.Size, Tag: r.Generation, ModifiedAt: r.Updated}
}

// object returns the URL of an object with a query.
func (g *gcs) object(key, query string) string {
	return g.endpoint + "/storage/v1/b/" + url.PathEscape(g.l.bucket) + "/o/" + url.PathEscape(g.l.prefix+key) + "?" + query
}

func (g *gcs) Get(ctx context.Context, key string) ([]byte, Info, error) {
	if err := checkKey(key); err != nil {
		return nil, Info{}, err
	}
	resp, err := g.do(ctx, request{method: http.MethodGet, url: g.object(key, "alt=media")})
	if err != nil {
		return nil, Info{}, g.fail("read", key, err)
	}
	data, err := io.ReadAll(resp.Body)
	modified, _ := http.ParseTime(resp.Header.Get("Last-Modified"))
	return data, Info{Key: key, Size: int64(len(data)), Tag: resp.Header.Get("X-Goog-Generation"), ModifiedAt: modified}, err
}

// hashOf returns the CRC32C of an answer, empty if it has none.
func hashOf(h http.Header) string {
	for _, v := range h.Values("X-Goog-Hash") {
		for part := range strings.SplitSeq(v, ",") {
			if crc, ok := strings.CutPrefix(strings.TrimSpace(part), "crc32c="); ok {
				return crc
			}
		}
	}
	return ""
}

// describe reads the description of an object.
func (g *gcs) describe(ctx context.Context, key string) (resource, error) {
	resp, err := g.do(ctx, request{method: http.MethodGet, url: g.object(key, "fields=name,size,generation,updated,crc32c,metadata")})
	if err != nil {
		return resource{}, err
	}
	return decode(resp)
}

func decode(resp *http.Response) (resource, error) {
	var r resource
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return r, fmt.Errorf("the answer cannot be read: %w", err)
	}
	return r, nil
}

func (g *gcs) Open(ctx context.Context, key string) (*Reader, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	r, err := g.describe(ctx, key)
	if err != nil {
		return nil, g.fail("read", key, err)
	}
	get := func(ctx context.Context, offset, n int64) (io.ReadCloser, error) {
		resp, err := g.do(ctx, request{
			method: http.MethodGet, url: g.object(key, "alt=media&generation="+r.Generation),
			stream: true, header: http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", offset, offset+n-1)}},
		})
		if err == nil {
			return resp.Body, nil
		}
		if err = g.fail("read", key, err); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrChanged, err)
		}
		return nil, err
	}
	return newReader(g.info(r), &ranges{ctx: ctx, size: r.Size, get: get, again: func(ctx context.Context, attempt int, err error) error {
		return g.fail("read", key, g.p.again(ctx, attempt, err))
	}}), nil
}

func (g *gcs) Create(ctx context.Context, key string, data []byte) (Info, error) {
	info, err := g.put(ctx, key, data, "&ifGenerationMatch=0")
	if errors.Is(err, ErrChanged) {
		err = fmt.Errorf("create %s: %w", g.name(key), fs.ErrExist)
	}
	return info, err
}

func (g *gcs) Replace(ctx context.Context, key string, data []byte, tag string) (Info, error) {
	if err := g.checkTag("replace", key, tag); err != nil {
		return Info{}, err
	}
	return g.put(ctx, key, data, "&ifGenerationMatch="+tag)
}

// checkTag refuses what is no generation, among them 0, which stands for an
// object that is not there.
func (g *gcs) checkTag(op, key, tag string) error {
	if n, err := strconv.ParseInt(tag, 10, 64); err != nil || n <= 0 {
		return fmt.Errorf("%s %s: %w", op, g.name(key), ErrChanged)
	}
	return nil
}

// put writes a small object on a condition.
func (g *gcs) put(ctx context.Context, key string, data []byte, condition string) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	id := rand.Text()
	info, err := g.insert(ctx, key, data, id, condition)
	if err == nil {
		return info, nil
	}
	failed := g.fail("write", key, err)
	status := codeOf(err)
	if status != 0 && status < 500 && !errors.Is(failed, ErrChanged) {
		return Info{}, failed
	}
	// An attempt whose answer was lost may have written the object, and the
	// next one then finds it there.
	info, mine, herr := g.written(ctx, key, id)
	switch {
	case mine:
		return info, nil
	case errors.Is(failed, ErrChanged) && (herr == nil || errors.Is(herr, fs.ErrNotExist)), status == http.StatusServiceUnavailable:
		return Info{}, failed
	}
	return Info{}, &UnknownError{Err: failed}
}

// written says whether an object is the one that the write id made.
func (g *gcs) written(ctx context.Context, key, id string) (Info, bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	r, err := g.describe(ctx, key)
	return g.info(r), err == nil && r.Metadata[writtenBy] == id, g.fail("read", key, err)
}

// insert uploads an object in one request. The server compares its checksum.
func (g *gcs) insert(ctx context.Context, key string, data []byte, id, query string) (Info, error) {
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	meta, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json; charset=UTF-8"}})
	if err == nil {
		err = json.NewEncoder(meta).Encode(resource{Name: g.l.prefix + key, CRC32C: crc32c(data), Metadata: map[string]string{writtenBy: id}})
	}
	if err == nil {
		var media io.Writer
		if media, err = parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/octet-stream"}}); err == nil {
			_, err = media.Write(data)
		}
	}
	if err = cmp.Or(err, parts.Close()); err != nil {
		return Info{}, err
	}
	resp, err := g.do(ctx, request{
		method: http.MethodPost, url: g.upload("multipart") + query, body: body.Bytes(),
		header: http.Header{"Content-Type": {"multipart/related; boundary=" + parts.Boundary()}},
	})
	if err != nil {
		return Info{}, err
	}
	r, err := decode(resp)
	if err == nil && r.CRC32C != crc32c(data) {
		err = errors.New("the server stored other bytes than it was sent")
	}
	return g.info(r), err
}

// upload returns the URL that takes objects.
func (g *gcs) upload(kind string) string {
	return g.endpoint + "/upload/storage/v1/b/" + url.PathEscape(g.l.bucket) + "/o?uploadType=" + kind
}

func (g *gcs) Remove(ctx context.Context, key, tag string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := g.checkTag("remove", key, tag); err != nil {
		return err
	}
	r, err := g.describe(ctx, key)
	if err == nil && r.Generation != tag {
		return fmt.Errorf("remove %s: %w", g.name(key), ErrChanged)
	}
	if err == nil {
		_, err = g.do(ctx, request{method: http.MethodDelete, url: g.object(key, "ifGenerationMatch="+tag)})
	}
	if err = g.fail("remove", key, err); errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}

func (g *gcs) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		query := url.Values{"prefix": {g.l.prefix + prefix}, "fields": {"items(name,size,generation,updated),nextPageToken"}}
		for {
			resp, err := g.do(ctx, request{
				method: http.MethodGet, url: g.endpoint + "/storage/v1/b/" + url.PathEscape(g.l.bucket) + "/o?" + query.Encode(),
			})
			var page struct {
				Items         []resource `json:"items"`
				NextPageToken string     `json:"nextPageToken"`
			}
			if err == nil {
				err = json.NewDecoder(resp.Body).Decode(&page)
			}
			if err != nil {
				if codeOf(err) == http.StatusNotFound {
					err = g.noBucket("list", prefix)
				}
				yield(Info{}, g.fail("list", prefix, err))
				return
			}
			for _, r := range page.Items {
				if info := g.info(r); !strings.HasSuffix(info.Key, "/") && !yield(info, nil) {
					return
				}
			}
			if page.NextPageToken == "" {
				return
			}
			query.Set("pageToken", page.NextPageToken)
		}
	}
}

func (g *gcs) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, key := range keys {
		group.Go(func() error {
			_, err := g.do(ctx, request{method: http.MethodDelete, url: g.object(key, "")})
			if err = g.fail("delete", key, err); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

// Sweep has nothing to do: Google ends uploads that were not finished after a
// week and does not charge for them.
func (g *gcs) Sweep(context.Context, time.Time) error { return nil }
