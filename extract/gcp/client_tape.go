package gcp

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract"
)

// tapeKey identifies the call on a tape.
func (r *Request) tapeKey() (extract.TapeKey, error) {
	in, err := canonicalInput(r.Input)
	// The ids of old projects hold a colon, which the names of files do not.
	account := strings.ReplaceAll(r.account(), ":", "~")
	return extract.TapeKey{Account: account, Region: r.region(), Service: r.Service.Name, Operation: r.Op.Name, Input: in}, err
}

// play answers a call from the tape.
func (c *Client) play(op *operation, r Request) (*Response, error) {
	k, err := r.tapeKey()
	if err != nil {
		return nil, err
	}
	x, err := c.opts.Player.Play(k)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	for name, v := range x.Header {
		h.Set(name, v)
	}
	if e := op.judge(c.errorFor(r, endpoint{}), x.Status, h, x.Body); e != nil {
		return nil, e
	}
	return &Response{Body: x.Body, Header: h, Status: x.Status}, nil
}

// record gives the recorder what came of a call: an answer, or a refusal.
func (c *Client) record(op *operation, r Request, resp *Response, err error) error {
	// Calls that find projects are made again by nobody: a recording has a list
	// of those that it holds.
	if c.opts.Recorder == nil || r.Project == nil || r.unrecorded || secretive(r.Service.Name, r.Op.Name) {
		return nil
	}
	k, kerr := r.tapeKey()
	if kerr != nil {
		return kerr
	}
	var x extract.Exchange
	var e *APIError
	switch {
	case err == nil:
		x = extract.Exchange{Status: resp.Status, Header: map[string]string{}, Body: resp.Body}
		if v := resp.Header.Get("Content-Type"); v != "" {
			x.Header["Content-Type"] = v
		}
		if r.Redact != nil {
			x.Body = r.Redact(x.Body)
		}
	case errors.As(err, &e) && e.class == classAnswer:
		x = e.exchange()
	default:
		return nil // the network's failures are not the cloud's state
	}
	return c.opts.Recorder.Record(k, x)
}

// recordMade gives the recorder an answer that was made of others, in place
// of the one that the call failed with.
func (c *Client) recordMade(r Request, body []byte) error {
	if c.opts.Recorder == nil {
		return nil
	}
	k, err := r.tapeKey()
	if err != nil {
		return err
	}
	if r.Redact != nil {
		body = r.Redact(slices.Clone(body))
	}
	return c.opts.Recorder.Record(k, extract.Exchange{Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json"}, Body: body})
}

// secretive reports operations whose answers are credentials, of which none
// is recorded.
func secretive(service, op string) bool {
	name, _, _ := strings.Cut(service, ".")
	switch name {
	case "iamcredentials", "sts", "oauth2":
		return true
	case "secretmanager":
		return strings.HasSuffix(op, "versions.access")
	case "parametermanager":
		return strings.HasSuffix(op, "versions.render") || strings.HasSuffix(op, "versions.get")
	case "apikeys":
		return strings.HasSuffix(op, "getKeyString")
	case "redis", "memcache":
		return strings.HasSuffix(op, "getAuthString")
	}
	return false
}

// exchange is the refusal as the service could have said it: what it is made
// of without what else the answer quoted.
func (e *APIError) exchange() extract.Exchange {
	x := extract.Exchange{Status: e.HTTPStatus, Header: map[string]string{"Content-Type": "application/json"}}
	if x.Status >= 200 && x.Status < 300 {
		x.Status = http.StatusBadRequest
	}
	if e.Status == "" && len(e.reasons) == 0 && e.Message == "" {
		return x
	}
	body := errorBody{Code: e.HTTPStatus, Message: e.Message, Status: e.Status}
	for i, reason := range e.reasons {
		d := errorDetail{Type: errorInfo, Reason: reason}
		if i == 0 && e.Consumer != "" {
			d.Metadata = map[string]string{"consumer": e.Consumer}
		}
		body.Details = append(body.Details, d)
	}
	x.Body, _ = json.Marshal(map[string]any{"error": body})
	return x
}
