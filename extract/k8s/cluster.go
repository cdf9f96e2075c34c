package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/k8s/api"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Cluster is a cluster and what it serves. It is safe for concurrent use.
type Cluster struct {
	inventory

	o      *Options
	client *client // nil when a recording is played
	err    error   // why it cannot be read

	seen    sync.Mutex
	visible []string // namespaces, once they have been asked for
}

// inventory is what is known of a cluster before anything in it is read. It
// is what a recording has of discovery.
type inventory struct {
	// ID is the account: the uid of the namespace kube-system or what the
	// configuration says in its place.
	ID string
	// IDFrom says where ID is from: kube-system, cluster_id or last seen.
	IDFrom string
	// Name is the context, Server the address of the API.
	Name, Server string
	Version      string
	Platform     string
	// Provider is eks, gke, aks or empty, as far as version and configuration
	// tell. EKS is the ARN or the name of the cluster at EKS, GKE its full
	// resource name at Google.
	Provider, EKS, GKE string
	CreatedAt          string
	// Resources are what can be listed, each in one version.
	Resources []api.Resource
	// Custom are those that are defined by the cluster's own definitions, as
	// group and name in the path; CustomKnown says that they could be read.
	Custom      []string
	CustomKnown bool
	// Groups are all groups of the discovery, Stale those of which it is not
	// known what they serve.
	Groups, Stale []string
	// Served are the versions of the groups.
	Served map[string][]string
	// Notes are problems to report with the cluster.
	Notes []note
}

// note is a problem of a cluster.
type note struct{ Kind, Code, Text string }

func (c *Cluster) note(kind, code, format string, args ...any) {
	c.Notes = append(c.Notes, note{kind, code, fmt.Sprintf(format, args...)})
}

// problems are the notes as they are reported.
func (c *Cluster) problems() []schema.Problem {
	var out []schema.Problem
	for _, n := range c.Notes {
		text := n.Text
		if len(text) > 200 {
			text = strings.ToValidUTF8(text[:200], "")
		}
		out = append(out, schema.Problem{Kind: n.Kind, Account: c.ID, Region: Global, Code: n.Code, Count: 1, Sample: text})
	}
	return out
}

// resource is what the cluster serves by a group and a name.
func (c *Cluster) resource(group, name string) (api.Resource, bool) {
	i := slices.IndexFunc(c.Resources, func(r api.Resource) bool { return r.Group == group && r.Name == name })
	if i < 0 {
		return api.Resource{}, false
	}
	return c.Resources[i], true
}

// customUnknown says that the resource may be one of the cluster's own
// definitions, which could not be read.
func (c *Cluster) customUnknown(r api.Resource) bool { return !c.CustomKnown && !builtin(r.Group) }

// stale says that it is not known what the group serves.
func (c *Cluster) stale(group string) bool { return slices.Contains(c.Stale, group) }

// open connects and finds out what the cluster is and serves.
func (c *Cluster) open(ctx context.Context, t target) error {
	c.Name, c.Server = t.context, t.cfg.Host
	var err error
	if c.client, err = newClient(t.context, t.cfg, c.o); err != nil {
		return err
	}
	if c.client.guarded = t.exec; t.exec {
		c.client.contact += c.o.ExecTimeout
	}
	c.Server = c.client.base.String()
	if err := c.identify(ctx, t); err != nil {
		return err
	}
	c.client.key.Account = c.ID
	if err := c.version(ctx); err != nil {
		return err
	}
	c.host(t)
	if err := c.discover(ctx, t); err != nil {
		return err
	}
	return c.recordInventory()
}

const acceptPartial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

// identify finds the cluster's id.
func (c *Cluster) identify(ctx context.Context, t target) error {
	b, _, err := c.client.get(ctx, request{path: "/api/v1/namespaces/kube-system", accept: acceptPartial, first: true})
	key := lastSeenKey(c.Server, t.cfg)
	if err == nil {
		defer b.release()
		var ns struct {
			Kind     string
			Metadata struct{ UID, CreationTimestamp string }
		}
		if err := json.Unmarshal(b.Bytes(), &ns); err != nil || ns.Metadata.UID == "" {
			return fmt.Errorf("cluster %s: namespace kube-system: the answer has no uid: %s", c.Name, extract.Excerpt(b.Bytes()))
		}
		c.ID, c.IDFrom, c.CreatedAt = ns.Metadata.UID, "kube-system", ns.Metadata.CreationTimestamp
		if said := c.o.clusterID(c.Name); said != "" && said != c.ID {
			c.note("", "cluster_id", "cluster_id says %s of context %s; the uid of its namespace kube-system is used instead", said, c.Name)
		}
		return rememberID(c.o.StateDir, key, c.ID)
	}
	var e *APIError
	if !errors.As(err, &e) || e.Status != http.StatusForbidden {
		c.ID = firstOf(c.o.clusterID(c.Name), recallID(c.o.StateDir, key))
		return err
	}
	if c.ID = c.o.clusterID(c.Name); c.ID != "" {
		c.IDFrom = "cluster_id"
		return nil
	}
	if c.ID = recallID(c.o.StateDir, key); c.ID != "" {
		c.IDFrom = "last seen"
		c.note("", "cluster_id", "the namespace kube-system of context %s may not be read any more: its uid is the one last seen at %s", c.Name, c.Server)
		return nil
	}
	return fmt.Errorf("%w: its uid would be the cluster's id; grant get on it, or say cluster_id for context %s", err, c.Name)
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (c *Cluster) version(ctx context.Context) error {
	b, _, err := c.client.get(ctx, request{path: "/version", accept: acceptJSON})
	var e *APIError
	if errors.As(err, &e) && e.Denied() {
		return nil
	}
	if err != nil {
		return err
	}
	defer b.release()
	var v struct{ GitVersion, Platform string }
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		return fmt.Errorf("cluster %s: version: %w", c.Name, err)
	}
	c.Version, c.Platform = v.GitVersion, v.Platform
	return nil
}

// discoveryService is the service of recordings that holds inventories, and
// the documents of the cluster's OpenAPI.
const discoveryService = "discovery"

func (c *Cluster) tapeKey(operation string) extract.TapeKey {
	return extract.TapeKey{Account: c.ID, Region: Global, Service: discoveryService, Operation: operation, Input: "{}"}
}

func (c *Cluster) recordInventory() error {
	if c.o.Recorder == nil {
		return nil
	}
	if err := c.o.Recorder.Account(extract.TapeAccount{Cloud: Cloud, ID: c.ID, Name: c.Name}); err != nil {
		return err
	}
	b, err := json.Marshal(c.inventory)
	if err != nil {
		return err
	}
	return c.o.Recorder.Record(c.tapeKey("inventory"), extract.Exchange{Status: http.StatusOK, Body: b})
}

// play takes the cluster from a recording.
func (c *Cluster) play(id string) error {
	c.ID = id
	x, err := c.o.Player.Play(c.tapeKey("inventory"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(x.Body, &c.inventory); err != nil {
		return fmt.Errorf("replay cluster %s: %w", id, err)
	}
	return nil
}
