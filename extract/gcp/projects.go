package gcp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/extract"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

// ProjectsConfig says which projects are read. The zero value is the
// credentials' own.
type ProjectsConfig struct {
	// Projects are ids or numbers.
	Projects []string `yaml:"projects,omitempty"`
	// Organization and Folders are numbers, with or without organizations/ and
	// folders/: all projects below them are read.
	Organization string   `yaml:"organization,omitempty"`
	Folders      []string `yaml:"folders,omitempty"`
	// Include and Exclude choose among the projects below the organization and
	// the folders: by id or number ("prod-*"), "name:Shop *", "label:env=prod*"
	// or "label:env". Empty Include is all; Exclude counts more.
	Include []string `yaml:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty"`
}

// discovery is what is known of the projects to read.
type discovery struct {
	projects []*Project // by id
	// ended are projects whose deletion was requested: they are being deleted
	// and take no calls.
	ended []*Project
	// failed are parents that could not be listed, with why.
	failed map[string]error
}

// filter chooses projects by one of their names.
type filter struct {
	text            string
	name, key, glob string
}

func parseFilter(text string) (filter, error) {
	f := filter{text: text, glob: text}
	if rest, ok := strings.CutPrefix(text, "name:"); ok {
		f.name, f.glob = "name", rest
	} else if rest, ok := strings.CutPrefix(text, "label:"); ok {
		f.name = "label"
		var valued bool
		if f.key, f.glob, valued = strings.Cut(rest, "="); !valued {
			f.glob = "*"
		}
		if f.key == "" {
			return f, fmt.Errorf("%q names no label: label:env=prod*", text)
		}
	}
	if _, err := path.Match(f.glob, ""); err != nil || f.glob == "" {
		return f, fmt.Errorf("%q is no pattern", text)
	}
	return f, nil
}

func (f filter) matches(p *Project) bool {
	match := func(v string) bool {
		ok, _ := path.Match(f.glob, v)
		return ok
	}
	switch f.name {
	case "name":
		return match(p.Name)
	case "label":
		v, ok := p.Labels[f.key]
		return ok && match(v)
	}
	return match(p.ID) || p.Number != "" && match(p.Number)
}

// chooser is a compiled Include and Exclude.
type chooser struct{ include, exclude []filter }

func newChooser(c ProjectsConfig) (ch chooser, err error) {
	for _, part := range []struct {
		name string
		from []string
		to   *[]filter
	}{{"include", c.Include, &ch.include}, {"exclude", c.Exclude, &ch.exclude}} {
		for _, text := range part.from {
			f, err := parseFilter(text)
			if err != nil {
				return ch, fmt.Errorf("gcp: %s: %w", part.name, err)
			}
			*part.to = append(*part.to, f)
		}
	}
	return ch, nil
}

func (c chooser) chooses(p *Project) bool {
	is := func(f filter) bool { return f.matches(p) }
	return (len(c.include) == 0 || slices.ContainsFunc(c.include, is)) && !slices.ContainsFunc(c.exclude, is)
}

// parentName is a folder's or organization's name with its collection.
func parentName(collection, v string) (string, error) {
	number, ok := strings.CutPrefix(v, collection+"/")
	if !ok {
		number = v
	}
	if number == "" || strings.Trim(number, "0123456789") != "" {
		return "", fmt.Errorf("gcp: %q is no %s: give its number", v, strings.TrimSuffix(collection, "s"))
	}
	return collection + "/" + number, nil
}

// parents are what projects are listed below.
func (c ProjectsConfig) parents() ([]string, error) {
	var out []string
	if c.Organization != "" {
		p, err := parentName("organizations", c.Organization)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	for _, f := range c.Folders {
		p, err := parentName("folders", f)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Check says what is wrong with the configuration.
func (c ProjectsConfig) Check() error {
	parents, err := c.parents()
	if err != nil {
		return err
	}
	if len(parents) == 0 && len(c.Include)+len(c.Exclude) > 0 {
		return errors.New("gcp: include and exclude choose among the projects of an organization or of folders: name one")
	}
	_, err = newChooser(c)
	return err
}

const (
	// parentsAtOnce is how many folders are listed at the same time.
	parentsAtOnce = 8
	// listPage is the size of pages of projects and folders.
	listPage = int64(300)
)

// Projects finds the projects to read. What could not be listed is told in
// failed; an error is one that nothing can be read for.
func (c *Client) discover(ctx context.Context, pc ProjectsConfig) (*discovery, error) {
	if c.opts.Player != nil {
		return c.recorded(), nil
	}
	parents, err := pc.parents()
	if err != nil {
		return nil, err
	}
	choose, err := newChooser(pc)
	if err != nil {
		return nil, err
	}
	d := &discovery{failed: map[string]error{}}
	named := pc.Projects
	if len(named) == 0 && len(parents) == 0 {
		own, err := c.OwnProject(ctx)
		if err != nil {
			return nil, err
		}
		if own == "" {
			return nil, errors.New("gcp: the credentials belong to no project: name projects, an organization or folders, or set GOOGLE_CLOUD_PROJECT")
		}
		named = []string{own}
	}
	var mu sync.Mutex
	found := map[string]*Project{}
	ended := map[string]*Project{}
	add := func(p *Project, state string) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case state == "DELETE_REQUESTED":
			ended[p.ID] = p
		case found[p.ID] == nil || found[p.ID].Number == "":
			found[p.ID] = p
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parentsAtOnce)
	for _, id := range named {
		g.Go(func() error {
			p, state, err := c.project(gctx, id)
			if err != nil {
				return err
			}
			add(p, state)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	// Folders are in folders: one generation after the other.
	seen := map[string]bool{}
	for len(parents) > 0 {
		var next []string
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(parentsAtOnce)
		for _, parent := range parents {
			if seen[parent] {
				continue
			}
			seen[parent] = true
			g.Go(func() error {
				folders, err := c.below(gctx, parent, func(p *Project, state string) {
					if choose.chooses(p) {
						add(p, state)
					}
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					d.failed[parent] = err
				}
				next = append(next, folders...)
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		parents = next
	}
	for id := range ended {
		delete(found, id)
	}
	d.projects = byID(found)
	d.ended = byID(ended)
	if len(d.projects) == 0 {
		for _, parent := range slices.Sorted(maps.Keys(d.failed)) {
			return nil, fmt.Errorf("gcp: list the projects of %s: %w", parent, d.failed[parent])
		}
		if len(d.ended) == 0 {
			return nil, errors.New("gcp: there is no project to read: check projects, include and exclude")
		}
	}
	return d, c.note(d)
}

func byID(m map[string]*Project) []*Project {
	return slices.SortedFunc(maps.Values(m), func(a, b *Project) int { return cmp.Compare(a.ID, b.ID) })
}

// note tells the recorder which projects there are.
func (c *Client) note(d *discovery) error {
	if c.opts.Recorder == nil {
		return nil
	}
	for _, p := range d.projects {
		err := c.opts.Recorder.Account(extract.TapeAccount{Cloud: "gcp", ID: p.ID, Name: p.Name, Number: p.Number, Region: globalRegion})
		if err != nil {
			return err
		}
	}
	return nil
}

// recorded are the projects of the client's recording.
func (c *Client) recorded() *discovery {
	d := &discovery{}
	for _, t := range c.opts.Player.Accounts() {
		if t.Cloud == "gcp" {
			d.projects = append(d.projects, &Project{ID: t.ID, Name: t.Name, Number: t.Number})
		}
	}
	return d
}

// wireProject is a project as
// https://cloud.google.com/resource-manager/reference/rest/v3/projects has it.
type wireProject struct {
	Name        string            `json:"name"`
	ProjectID   string            `json:"projectId"`
	DisplayName string            `json:"displayName"`
	Parent      string            `json:"parent"`
	State       string            `json:"state"`
	Labels      map[string]string `json:"labels"`
}

func (w wireProject) project() *Project {
	return &Project{ID: w.ProjectID, Number: strings.TrimPrefix(w.Name, "projects/"), Name: w.DisplayName, Parent: w.Parent, Labels: w.Labels}
}

// project finds a project by its id or number. One that may be read but not
// described is known by its id alone.
func (c *Client) project(ctx context.Context, id string) (*Project, string, error) {
	var w wireProject
	err := c.ask(ctx, "projects.get", map[string]any{"name": "projects/" + id}, func(b []byte) error { return json.Unmarshal(b, &w) })
	var e *APIError
	switch {
	case err == nil && w.ProjectID != "":
		return w.project(), w.State, nil
	case err == nil:
		return nil, "", fmt.Errorf("gcp: project %s: the answer names no project", id)
	case errors.As(err, &e) && (e.Credentials() || e.HTTPStatus == 0 || strings.Trim(id, "0123456789") == ""):
		// Without credentials or a network nothing can be read, and by the
		// number alone nothing should be: rows are the id's.
		return nil, "", fmt.Errorf("gcp: project %s: %w", id, err)
	case errors.As(err, &e):
		return &Project{ID: id}, "", nil
	}
	return nil, "", err
}

// below lists what is directly below a parent: it gives the projects to add
// and returns the folders. Those that were found before a failure count.
func (c *Client) below(ctx context.Context, parent string, add func(p *Project, state string)) (folders []string, err error) {
	input := map[string]any{"parent": parent, "pageSize": listPage, "showDeleted": true}
	err = c.pages(ctx, "projects.list", input, func(b []byte) (string, error) {
		var page struct {
			Projects      []wireProject `json:"projects"`
			NextPageToken string        `json:"nextPageToken"`
		}
		if err := json.Unmarshal(b, &page); err != nil {
			return "", err
		}
		for _, w := range page.Projects {
			if w.ProjectID == "" {
				return "", errors.New("a project has no id")
			}
			add(w.project(), w.State)
		}
		return page.NextPageToken, nil
	})
	if err != nil {
		return nil, err
	}
	err = c.pages(ctx, "folders.list", map[string]any{"parent": parent, "pageSize": listPage}, func(b []byte) (string, error) {
		var page struct {
			Folders []struct {
				Name string `json:"name"`
			} `json:"folders"`
			NextPageToken string `json:"nextPageToken"`
		}
		if err := json.Unmarshal(b, &page); err != nil {
			return "", err
		}
		for _, f := range page.Folders {
			folders = append(folders, f.Name)
		}
		return page.NextPageToken, nil
	})
	return folders, err
}

// pages asks for all pages of a list. page reads one and returns the token of
// the next.
func (c *Client) pages(ctx context.Context, op string, input map[string]any, page func([]byte) (string, error)) error {
	for last := ""; ; {
		token := ""
		err := c.ask(ctx, op, input, func(b []byte) (err error) {
			token, err = page(b)
			return err
		})
		if err != nil || token == "" {
			return err
		}
		if token == last {
			return fmt.Errorf("%s: the answer repeats the token it was asked with", op)
		}
		last = token
		input["pageToken"] = token
	}
}

// ask makes one of the calls by which projects are found.
func (c *Client) ask(ctx context.Context, op string, input map[string]any, read func([]byte) error) error {
	svc, err := gcpapi.Lookup("cloudresourcemanager.v3")
	if err != nil {
		return err
	}
	o, err := svc.Operation(op)
	if err != nil {
		return err
	}
	resp, err := c.Do(ctx, Request{Service: svc, Op: o, Input: input})
	if err != nil {
		return err
	}
	defer resp.Release()
	if err := read(resp.Body); err != nil {
		return fmt.Errorf("%s %s: %w", svc.Name, op, err)
	}
	return nil
}
