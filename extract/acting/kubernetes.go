package acting

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	k8sapi "github.com/dewpoint-data/dewpoint/extract/k8s/api"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Clusters are what clusters serve, by account and table. What may be done
// with an object is the same for all kinds and needs no catalogue.
type Clusters map[string]map[string]k8s.Served

// Add says what a cluster serves.
func (c Clusters) Add(account string, served []k8s.Served) {
	c[account] = map[string]k8s.Served{}
	for _, s := range served {
		c[account][s.Table] = s
	}
}

// objectVerb is Kubernetes' own name of a verb.
func objectVerb(v action.Verb, s k8s.Served) string {
	switch {
	case v == action.Delete:
		return "delete"
	case v == action.Tag, v == action.Untag, (v == action.Stop || v == action.Start) && s.Scales:
		return "patch"
	}
	return ""
}

// allows says whether what a cluster serves has a verb.
func allows(s k8s.Served, v action.Verb) bool {
	verbs, verb := strings.Fields(s.Verbs), objectVerb(v, s)
	return verb != "" && slices.Contains(verbs, verb) && slices.Contains(verbs, "get")
}

// knows says whether a cluster serves the kind.
func (c Clusters) knows(kind string) bool {
	for _, served := range c {
		if _, ok := served[kind]; ok {
			return true
		}
	}
	return false
}

func (c Clusters) can(v action.Verb, kind string) bool {
	for _, served := range c {
		if s, ok := served[kind]; ok && allows(s, v) {
			return true
		}
	}
	return false
}

// propagation are the policies by the names that rules have for them.
var propagation = map[string]string{"": "Background", "background": "Background", "foreground": "Foreground", "orphan": "Orphan"}

// calls are those of a verb on an object.
func (c Clusters) calls(v action.Verb, r action.Resource, a action.Args) ([]action.Call, error) {
	s, ok := c[r.Account][r.Kind]
	if !ok || !allows(s, v) {
		return nil, fmt.Errorf("%s %s: the cluster %s does not serve that: %w", v, r.Kind, r.Account, action.ErrCannot)
	}
	in := map[string]any{"group": s.Group, "version": s.Version, "name": r.Name}
	if s.Namespaced {
		in["namespace"] = r.Region
	}
	switch v {
	case action.Delete:
		policy, ok := propagation[a.Propagation]
		if !ok {
			return nil, fmt.Errorf("propagation is %q: take background, foreground or orphan", a.Propagation)
		}
		pre := map[string]any{"uid": r.ID}
		if r.Version != "" {
			pre["resourceVersion"] = r.Version
		}
		in["options"] = map[string]any{"preconditions": pre, "propagationPolicy": policy}
	case action.Stop, action.Start:
		patch, err := scale(v, r)
		if err != nil {
			return nil, err
		}
		in["patch"] = patch
	default:
		labels := map[string]any{}
		for k, v := range a.Tags {
			labels[k] = v
		}
		for _, k := range a.Keys {
			labels[k] = nil
		}
		in["patch"] = map[string]any{"metadata": identified(r, "labels", labels)}
	}
	return []action.Call{{Service: cmp.Or(s.Group, k8sapi.Core), Op: objectVerb(v, s) + " " + s.Resource, Input: in}}, nil
}

// replicas is the column of how many there are to be, and former the annotation
// of how many there were before none were.
const (
	replicas = "spec_replicas"
	former   = "dewpoint/former-replicas"
)

// scale is the patch that stops or starts what has replicas: how many there
// are is kept with it, by the same call.
func scale(v action.Verb, r action.Resource) (map[string]any, error) {
	var notes map[string]string
	if text := r.Columns["annotations"]; text != "" {
		if err := json.Unmarshal([]byte(text), &notes); err != nil {
			return nil, fmt.Errorf("the annotations of %s: %w", r.Shown(), err)
		}
	}
	count, kept, was := r.Columns[replicas], any(r.Columns[replicas]), "the number of its replicas"
	if v == action.Start {
		count, kept, was = notes[former], nil, "its annotation "+former
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %s is not known: %w", v, r.Shown(), was, action.ErrCannot)
	}
	if v == action.Stop {
		n = 0
	}
	return map[string]any{
		"metadata": identified(r, "annotations", map[string]any{former: kept}),
		"spec":     map[string]any{"replicas": n},
	}, nil
}

// identified are the metadata of a patch for an object, and for the state of
// it that was read.
func identified(r action.Resource, member string, values map[string]any) map[string]any {
	meta := map[string]any{"uid": r.ID, member: values}
	if r.Version != "" {
		meta["resourceVersion"] = r.Version
	}
	return meta
}

// object is the object that the input of a call names.
func object(call action.Call) (r k8sapi.Resource, namespace, name string) {
	text := func(k string) string { v, _ := call.Input[k].(string); return v }
	_, resource, _ := strings.Cut(call.Op, " ")
	return k8sapi.Resource{Group: text("group"), Version: text("version"), Name: resource}, text("namespace"), text("name")
}

// doObject makes a call on an object, if the cluster serves it so now.
func (c *Cloud) doObject(ctx context.Context, r action.Resource, call action.Call) (string, error) {
	cluster, err := c.cluster(ctx, r.Account)
	if err != nil {
		return "", err
	}
	res, namespace, name := object(call)
	verb, _, _ := strings.Cut(call.Op, " ")
	if !cluster.Serves(res.Group, res.Version, res.Name, verb) {
		return "", &action.Error{Err: fmt.Errorf("the cluster %s serves no %s of %s.%s", r.Account, verb, res.Name, res.GroupVersion())}
	}
	body, do := call.Input["patch"], cluster.Patch
	if verb == "delete" {
		body, do = call.Input["options"], cluster.Delete
	}
	b, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	id, err := do(ctx, res, namespace, name, b)
	return id, objectError(ctx, err)
}

// objectError says what an error of a cluster means. A conflict is a state that
// has changed since it was read: it is read again.
func objectError(ctx context.Context, err error) error {
	var e *k8s.APIError
	if err == nil || ctx.Err() != nil || !errors.As(err, &e) {
		return err
	}
	out := &action.Error{Err: err, Gone: e.NotFound(), Busy: e.Conflict() || e.Throttled()}
	out.Code, out.RequestID = e.Fault()
	if s := e.State(); s == schema.TimedOut || s == schema.Unreachable {
		out.Unknown = true
	}
	return out
}

// readObject reads the metadata of an object, which says all that is asked.
// Another object of the name is another resource.
func (c *Cloud) readObject(ctx context.Context, r action.Resource) (*action.Current, error) {
	s, ok := c.Clusters[r.Account][r.Kind]
	if !ok {
		return nil, fmt.Errorf("read %s: %w", r.Kind, action.ErrCannot)
	}
	cluster, err := c.cluster(ctx, r.Account)
	if err != nil {
		return nil, err
	}
	namespace := ""
	if s.Namespaced {
		namespace = r.Region
	}
	read := cluster.Metadata
	if s.Scales {
		read = cluster.Object
	}
	b, err := read(ctx, k8sapi.Resource{Group: s.Group, Version: s.Version, Name: s.Resource}, namespace, r.Name)
	if err = objectError(ctx, err); err != nil {
		var e *action.Error
		if errors.As(err, &e) && e.Gone {
			// Not so where the resource itself is not served any more.
			if cluster.Serves(s.Group, s.Version, s.Resource, "get") {
				return nil, fmt.Errorf("%w: %w", action.ErrGone, err)
			}
		}
		return nil, err
	}
	var o struct {
		Metadata struct {
			UID               string
			ResourceVersion   string
			CreationTimestamp time.Time
			DeletionTimestamp *time.Time
			Finalizers        []string
			Labels            map[string]string
			Annotations       map[string]string
		}
		Spec struct{ Replicas *int }
	}
	if err := json.Unmarshal(b, &o); err != nil || o.Metadata.UID == "" {
		return nil, fmt.Errorf("read %s %s: the answer has no uid", r.Kind, r.ID)
	}
	m := o.Metadata
	if m.UID != r.ID {
		return nil, action.ErrGone
	}
	cur := &action.Current{CreatedAt: m.CreationTimestamp.UTC(), Tags: m.Labels, Version: m.ResourceVersion}
	if cur.Tags == nil {
		cur.Tags = map[string]string{}
	}
	if s.Scales {
		notes, err := json.Marshal(m.Annotations)
		if err != nil {
			return nil, err
		}
		n := 1 // so the server takes it
		if o.Spec.Replicas != nil {
			n = *o.Spec.Replicas
		}
		cur.Columns = map[string]string{"annotations": string(notes), replicas: strconv.Itoa(n)}
		if cur.Status = "running"; n == 0 {
			cur.Status = "stopped"
		}
	}
	if m.DeletionTimestamp != nil {
		cur.Status, cur.Held = "deleting", m.Finalizers
	}
	return cur, nil
}

func (c *Cloud) cluster(ctx context.Context, account string) (*k8s.Cluster, error) {
	if c.Cluster == nil {
		return nil, fmt.Errorf("nothing acts in clusters: %w", action.ErrCannot)
	}
	return c.Cluster(ctx, account)
}
