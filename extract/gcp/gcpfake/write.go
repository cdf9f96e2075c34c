package gcpfake

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// underway is an operation that was begun.
type underway struct {
	polls int // until it ends
	apply func()
	fails *Refusal
	doc   map[string]any
}

// spot is where a document is.
type spot struct {
	key string
	at  int
}

// locate finds the document that a path names.
func (s *Server) locate(service, path string) (spot, bool) {
	parent, name := path, ""
	if i := strings.LastIndexByte(parent, '/'); i >= 0 {
		parent, name = parent[:i], parent[i+1:]
	}
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	keys := []string{service + " " + parent}
	for _, p := range s.opts.Projects {
		keys = append(keys, keys[0]+"?project="+p.ID)
	}
	for _, key := range keys {
		for i, d := range s.collections[key] {
			if named(d, name) {
				return spot{key, i}, true
			}
		}
	}
	return spot{}, false
}

// change is what a call does to the document of a path; nil fields remain, a
// nil document is a deleted one.
type change struct {
	path string
	to   func(d map[string]any) (map[string]any, *Refusal)
}

// changeOf is the change that a call makes; false if it makes none.
func changeOf(r *Request) (change, bool) {
	path, verb := r.path, ""
	if i := strings.LastIndexAny(path, "/:"); i >= 0 {
		path, verb = path[:i], path[i+1:]
	}
	switch {
	case r.op.Method == http.MethodDelete:
		return change{r.path, func(d map[string]any) (map[string]any, *Refusal) { return nil, r.stale(d, r.Query.Get("etag")) }}, true
	case r.op.Method == http.MethodPatch:
		return change{r.path, func(d map[string]any) (map[string]any, *Refusal) {
			etag, _ := r.body["etag"].(string)
			return r.patched(d), r.stale(d, etag)
		}}, true
	case r.op.Method != http.MethodPost:
	case verb == "setLabels":
		return change{path, func(d map[string]any) (map[string]any, *Refusal) { return r.labelled(d, "labels") }}, true
	case verb == "setResourceLabels" || verb == "resourceLabels":
		return change{path, func(d map[string]any) (map[string]any, *Refusal) { return r.labelled(d, "resourceLabels") }}, true
	case verb == "stop" || verb == "start":
		return change{path, func(d map[string]any) (map[string]any, *Refusal) {
			out := maps.Clone(d)
			out["status"] = map[string]string{"stop": "TERMINATED", "start": "RUNNING"}[verb]
			return out, nil
		}}, true
	}
	return change{}, false
}

// stale refuses a call that is for another state of a document.
func (r *Request) stale(d map[string]any, etag string) *Refusal {
	if have, _ := d["etag"].(string); etag != "" && etag != have {
		return &Refusal{Status: http.StatusConflict, Canonical: "ABORTED", Message: "The etag does not match"}
	}
	return nil
}

// labelled replaces all labels, if the fingerprint is that of those there.
func (r *Request) labelled(d map[string]any, member string) (map[string]any, *Refusal) {
	if have, _ := d["labelFingerprint"].(string); have != fmt.Sprint(r.body["labelFingerprint"]) {
		return nil, &Refusal{Status: http.StatusPreconditionFailed, Reason: "conditionNotMet", Message: "Labels fingerprint either invalid or resource labels have changed"}
	}
	out := maps.Clone(d)
	out[member] = r.body[member]
	out["labelFingerprint"] = fmt.Sprintf("%x", hash(fmt.Sprint(r.body[member])))
	return out, nil
}

// patched sets the fields of the mask, or else merges.
func (r *Request) patched(d map[string]any) map[string]any {
	body := r.body
	if mask := r.Query.Get("updateMask"); mask != "" {
		out := maps.Clone(d)
		for f := range strings.SplitSeq(mask, ",") {
			v, ok := body[f]
			for _, wrapped := range body { // Pub/Sub: {topic: {labels: …}}
				if m, is := wrapped.(map[string]any); is && !ok {
					v, ok = m[f]
				}
			}
			out[f] = v
		}
		return out
	}
	return merged(d, body)
}

// merged is RFC 7396.
func merged(d, with map[string]any) map[string]any {
	out := maps.Clone(d)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range with {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			old, _ := out[k].(map[string]any)
			out[k] = merged(old, v)
		default:
			out[k] = v
		}
	}
	return out
}

// write answers a call that changes a document, and one that asks for an
// operation; false for others.
func (s *Server) write(r *Request, f *Fault) (map[string]any, *Refusal, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasSuffix(strings.ToLower(r.Operation), "operations.get") {
		if u := s.operations[r.path[strings.LastIndexByte(r.path, '/')+1:]]; u != nil {
			return u.poll(), nil, true
		}
	}
	if disk, made := strings.CutSuffix(r.path, "/createSnapshot"); made {
		key := r.Service + " projects/" + r.Project + "/global/snapshots"
		u := &underway{apply: func() { // it is READY at once
			s.collections[key] = append(s.collections[key], map[string]any{"name": r.body["name"], "id": fmt.Sprint(hash(r.body["name"]) >> 1), "status": "READY", "sourceDisk": disk})
		}}
		if s.collections[key] == nil {
			s.collections[key] = []map[string]any{}
		}
		s.begin(r, disk, u)
		return u.poll(), nil, true
	}
	c, ok := changeOf(r)
	if !ok {
		return nil, nil, false
	}
	at, ok := s.locate(r.Service, c.path)
	if !ok {
		return nil, &Refusal{Status: http.StatusNotFound, Reason: "notFound", Message: "The resource '" + c.path + "' was not found"}, true
	}
	d, refusal := c.to(s.collections[at.key][at.at])
	if refusal != nil {
		return nil, refusal, true
	}
	apply := func() {
		if at, ok := s.locate(r.Service, c.path); ok {
			docs := s.collections[at.key]
			if d == nil {
				s.collections[at.key] = append(docs[:at.at:at.at], docs[at.at+1:]...)
				return
			}
			docs[at.at] = d
		}
	}
	if r.op.Output == nil || !strings.HasSuffix(r.op.Output.Name, "Operation") {
		apply()
		return d, nil, true
	}
	u := &underway{polls: s.opts.Polls, apply: apply}
	if f != nil && f.Kind == FailLater {
		u.fails = &f.Refusal
	}
	s.begin(r, c.path, u)
	if u.polls == 0 {
		return u.poll(), nil, true
	}
	return maps.Clone(u.doc), nil, true
}

// begin gives an operation its name.
func (s *Server) begin(r *Request, path string, u *underway) {
	name := fmt.Sprintf("operation-%d", len(s.operations)+1)
	s.operations[name] = u
	if r.op.Output.Member("selfLink") != nil { // compute, GKE, Cloud SQL
		parts := strings.Split(path, "/")
		where := strings.Join(parts[:max(len(parts)-2, 2)], "/") + "/operations/" + name
		u.doc = map[string]any{"name": name, "status": "RUNNING", "selfLink": "https://" + strings.Split(r.Service, ".")[0] + ".googleapis.com/" + r.svc.ServicePath + where}
		return
	}
	_, path, _ = strings.Cut(path, "/") // the version
	parts := strings.Split(path, "/")
	u.doc = map[string]any{"name": strings.Join(parts[:min(len(parts), 4)], "/") + "/operations/" + name, "done": false}
}

// poll is the operation as it is, one step further.
func (u *underway) poll() map[string]any {
	u.polls--
	out := maps.Clone(u.doc)
	if u.polls > 0 {
		return out
	}
	if _, old := out["status"]; old {
		out["status"] = "DONE"
	} else {
		out["done"] = true
	}
	switch {
	case u.fails == nil && u.apply != nil:
		u.apply()
		u.apply = nil
	case u.fails != nil && out["status"] != nil:
		out["error"] = map[string]any{"errors": []any{map[string]any{"code": u.fails.Reason, "message": u.fails.Message}}}
		out["httpErrorStatusCode"] = u.fails.Status
	case u.fails != nil:
		out["error"] = map[string]any{"code": u.fails.Status, "message": u.fails.Message}
	}
	return out
}
