package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/k8s/api"
	"github.com/dewpoint-data/dewpoint/extract/reading"
)

// lister reads one list, all its pages, in one namespace or all of them. It
// is the reading.Caller of that list and of no other.
type lister struct {
	cluster   *Cluster
	resource  api.Resource
	namespace string
	metadata  bool // ask for the objects' metadata alone

	limit  int // items of a page
	redact func([]byte) []byte
	spool  *spool
	stop   context.CancelFunc
	ended  chan struct{} // by the fetching goroutine
	played int           // pages, of a recording

	// Set by the fetching goroutine, read when it has ended.
	restarted, inconsistent bool
}

func (c *Cluster) lister(r api.Resource, namespace string, metadata bool) *lister {
	return &lister{cluster: c, resource: r, namespace: namespace, metadata: metadata, limit: c.o.PageItems}
}

// Do implements reading.Caller: it answers with the next page, whatever the
// token that is asked with.
func (l *lister) Do(ctx context.Context, c reading.Call) (*reading.Answer, error) {
	if l.cluster.o.Player != nil {
		return l.play()
	}
	if l.spool == nil {
		l.redact = c.Redact
		l.spool = newSpool(l.cluster.o.disk, l.cluster.o.SpoolAfter)
		l.ended = make(chan struct{})
		fetching, stop := context.WithCancel(ctx)
		l.stop = stop
		go func() {
			defer close(l.ended)
			l.spool.finish(l.fetch(fetching))
		}()
	}
	b, attempts, err := l.spool.take(ctx)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = l.failure().unusable(http.StatusOK, "the list went on behind its end")
		}
		return nil, err
	}
	return &reading.Answer{Body: b.Bytes(), Attempts: attempts, Free: b.release}, nil
}

// close ends the fetching.
func (l *lister) close() {
	if l.spool != nil {
		l.stop()
		<-l.ended
		l.spool.close()
	}
}

func (l *lister) failure() *APIError {
	return &APIError{Cluster: l.cluster.Name, Path: l.resource.Path(l.namespace)}
}

// fetch fetches all pages.
//
// No resourceVersion is sent: with 0 the server would ignore the limit. An
// expired token ends the first try; the list is begun anew, once. If that
// expires too, it is gone on with by the token that the refusal holds: each
// key is still read once, but not all at the same instant.
func (l *lister) fetch(ctx context.Context) error {
	token, page := "", 1
	for {
		b, attempts, err := l.get(ctx, token)
		var e *APIError
		switch {
		case errors.As(err, &e) && e.class == classTooLarge && l.limit > 1:
			l.limit /= 2
			continue
		case errors.As(err, &e) && e.expired() && token != "" && !l.restarted:
			l.restarted = true
			l.spool.drop()
			token, page = "", 1
			continue
		case errors.As(err, &e) && e.expired() && e.next != "" && e.next != token:
			l.inconsistent = true
			token = e.next
			continue
		case err != nil:
			if rerr := l.recordError(page, err); rerr != nil {
				return rerr
			}
			return err
		}
		env, err := l.check(b.Bytes())
		if err == nil && env.next != "" && env.next == token {
			err = l.failure().unusable(http.StatusOK, "the list goes on with the token that it was asked with")
		}
		if err == nil {
			err = l.record(page, b.Bytes())
		}
		if err != nil {
			b.release()
			return err
		}
		l.adapt(b.Len())
		if err := l.spool.put(ctx, b, attempts); err != nil {
			return err
		}
		if env.next == "" {
			return nil
		}
		token = env.next
		page++
	}
}

func (l *lister) get(ctx context.Context, token string) (*body, int, error) {
	q := url.Values{"limit": {strconv.Itoa(l.limit)}}
	if token != "" {
		q.Set("continue", token)
	}
	accept := acceptJSON
	if l.metadata {
		accept = acceptMetadata
	}
	return l.cluster.client.get(ctx, request{path: l.resource.Path(l.namespace), query: q, accept: accept})
}

// adapt lowers the limit after a page of many bytes and raises it again after
// small ones.
func (l *lister) adapt(size int) {
	switch {
	case size > l.cluster.o.PageBytes && l.limit > 1:
		l.limit /= 2
	case size < l.cluster.o.PageBytes/4 && l.limit < l.cluster.o.PageItems:
		l.limit = min(2*l.limit, l.cluster.o.PageItems)
	}
}

// check makes sure that an answer is the list that was asked for: a Status or
// another list with 200 has no items that are rows of it.
func (l *lister) check(b []byte) (envelope, error) {
	env, err := readEnvelope(b)
	if err != nil {
		return env, l.failure().unusable(http.StatusOK, "%s: %s", err, extract.Excerpt(b))
	}
	kind, version := l.resource.ListKind, l.resource.GroupVersion()
	if kind == "" {
		kind = l.resource.Kind + "List"
	}
	if l.metadata {
		kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
	}
	// What a custom list is called is known only where its definition may be read.
	same := env.kind == kind || l.resource.ListKind == "" && l.cluster.customUnknown(l.resource) && strings.HasSuffix(env.kind, "List")
	if !same || env.apiVersion != version {
		return env, l.failure().unusable(http.StatusOK, "the answer is a %s of %s, not a %s of %s", env.kind, env.apiVersion, kind, version)
	}
	return env, nil
}

// tapeKey names a page on a tape. It has the page's number for an input, as
// tokens differ with every recording.
func (l *lister) tapeKey(page int) extract.TapeKey {
	region := Global
	if l.namespace != "" {
		region = l.namespace
	}
	in, _ := json.Marshal(map[string]int{"page": page})
	return extract.TapeKey{Account: l.cluster.ID, Region: region, Service: api.ServiceName(l.resource.Group), Operation: l.resource.Name, Input: string(in)}
}

func (l *lister) record(page int, b []byte) error {
	if l.cluster.o.Recorder == nil {
		return nil
	}
	if l.redact != nil {
		b = l.redact(b)
	}
	return l.cluster.o.Recorder.Record(l.tapeKey(page), extract.Exchange{Status: http.StatusOK, Body: b})
}

// recordError records a refusal; the network's failures are not the
// cluster's state.
func (l *lister) recordError(page int, err error) error {
	var e *APIError
	if l.cluster.o.Recorder == nil || !errors.As(err, &e) || e.class != classAnswer {
		return nil
	}
	b, merr := json.Marshal(map[string]any{"kind": "Status", "reason": e.Reason, "message": e.Message, "code": e.Status})
	if merr != nil {
		return merr
	}
	return l.cluster.o.Recorder.Record(l.tapeKey(page), extract.Exchange{Status: e.Status, Body: b})
}

// play answers with the next page of a recording.
func (l *lister) play() (*reading.Answer, error) {
	l.played++
	x, err := l.cluster.o.Player.Play(l.tapeKey(l.played))
	if err != nil {
		return nil, err
	}
	if x.Status != http.StatusOK {
		return nil, l.failure().refusal(x.Status, http.Header{}, x.Body)
	}
	if _, err := l.check(x.Body); err != nil {
		return nil, err
	}
	return &reading.Answer{Body: x.Body}, nil
}

// note says what the rows of the list may lack.
func (l *lister) note() string {
	switch {
	case l.inconsistent:
		return fmt.Sprintf("the list of %s is complete but was not read at one instant: its continue token expired twice", l.resource.Name)
	}
	return ""
}
