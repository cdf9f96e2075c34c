package gcp

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// googleDomain is the domain that the descriptions are written for.
const googleDomain = "googleapis.com"

// endpoint is where a service is asked.
type endpoint struct {
	base string // ends with a slash, the service's path included
	host string
	// trusted endpoints are given the token.
	trusted bool
}

// endpoints are a service's: the common one, and those of its locations.
type endpoints struct {
	common    endpoint
	err       error
	locations map[string]endpoint
}

// regional are services whose common endpoint does not know what is in a
// location, which has an endpoint of its own.
var regional = map[string]bool{
	"aiplatform.v1":    true, // https://cloud.google.com/vertex-ai/docs/reference/rest#service-endpoint
	"secretmanager.v1": true, // https://cloud.google.com/secret-manager/regional-secrets/access-regional-secret
}

// endpoint finds where a call is made.
func (c *Client) endpoint(svc *api.Service, location string) (endpoint, error) {
	v, ok := c.endpoints.Load(svc)
	if !ok {
		v, _ = c.endpoints.LoadOrStore(svc, c.resolve(svc))
	}
	es := v.(*endpoints)
	if e, ok := es.locations[location]; ok {
		return e, nil
	}
	return es.common, es.err
}

// resolve finds a service's endpoints: configured ones before the
// description's, whose domain is that of the universe.
func (c *Client) resolve(svc *api.Service) *endpoints {
	es := &endpoints{}
	if raw, ok := c.configured(svc); ok {
		raw = strings.ReplaceAll(raw, "{service}", svc.Name)
		es.common, es.err = newEndpoint(raw, svc.ServicePath)
		// The user named it. A token does not go over the open network in
		// clear all the same.
		es.common.trusted = es.err == nil && (strings.HasPrefix(es.common.base, "https://") || loopback(es.common.host))
		return es
	}
	root := svc.RootURL
	if c.opts.Certificate != "" {
		if root = svc.MTLSRootURL; root == "" {
			es.err = fmt.Errorf("%s has no endpoint for client certificates", svc.Name)
			return es
		}
	}
	es.common, es.err = c.described(root, svc.ServicePath)
	if regional[svc.Name] && c.opts.Certificate == "" {
		es.locations = map[string]endpoint{}
		for location, root := range svc.Locations {
			if e, err := c.described(root, svc.ServicePath); err == nil {
				es.locations[location] = e
			}
		}
	}
	return es
}

// described is an endpoint of the description in the universe.
func (c *Client) described(root, path string) (endpoint, error) {
	e, err := newEndpoint(root, path)
	if err != nil {
		return e, err
	}
	name, ok := strings.CutSuffix(e.host, googleDomain)
	if !ok {
		return e, fmt.Errorf("endpoint %s is not of %s", root, googleDomain)
	}
	e.base = strings.Replace(e.base, e.host, name+c.domain, 1)
	e.host = name + c.domain
	e.trusted = strings.HasPrefix(e.base, "https://")
	return e, nil
}

func newEndpoint(raw, path string) (endpoint, error) {
	u, err := url.Parse(raw)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil) {
		err = errors.New("not an http or https URL of a host")
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("endpoint %q: %w", raw, err)
	}
	return endpoint{base: strings.TrimSuffix(u.String(), "/") + "/" + strings.TrimPrefix(path, "/"), host: u.Host}, nil
}

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// configured is the endpoint that the options or the environment give: the
// service's, its API's, then the one for all.
func (c *Client) configured(svc *api.Service) (string, bool) {
	name, _, _ := strings.Cut(svc.Name, ".")
	for _, k := range []string{svc.Name, name, "*"} {
		if v := c.opts.Endpoints[k]; v != "" {
			return v, true
		}
	}
	for _, k := range []string{endpointVariable + "_" + strings.ToUpper(name), endpointVariable} {
		if v := os.Getenv(k); v != "" {
			return v, true
		}
	}
	return "", false
}

// endpointVariable is the environment variable for the endpoint of all
// services; with _COMPUTE behind it, of one API's.
const endpointVariable = "DEWPOINT_GCP_ENDPOINT"

// checkEndpoints refuses endpoints that are no URLs before anything is read.
func checkEndpoints(m map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if _, err := newEndpoint(strings.ReplaceAll(m[k], "{service}", "service"), ""); err != nil {
			return fmt.Errorf("gcp: endpoints: %s: %w", k, err)
		}
	}
	return nil
}
