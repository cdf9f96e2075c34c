// Gen writes the descriptions that package api embeds, from the OpenAPI
// documents in the module of a Kubernetes release. It takes the stable
// versions of the groups.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	k8s "github.com/dewpoint-data/dewpoint/extract/k8s/api"
)

const (
	module  = "k8s.io/kubernetes"
	version = "v1.36.3"
)

func main() {
	out := flag.String("out", "services.zip", "file to write")
	flag.Parse()
	if err := write(*out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(out string) error {
	cmd := exec.Command("go", "mod", "download", "-json", module+"@"+version)
	cmd.Dir = os.TempDir()
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("download %s: %w", module, err)
	}
	var mod struct{ Dir, Sum string }
	if err := json.Unmarshal(text, &mod); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(mod.Dir, "api/openapi-spec/v3/*_openapi.json"))
	if err != nil {
		return err
	}
	services, err := describe(files)
	if err != nil {
		return err
	}
	m := k8s.Manifest{Source: module, Version: version, Services: len(services)}
	for _, s := range services {
		m.Operations += len(s.Operations)
	}
	var b bytes.Buffer
	if err := api.WriteArchive(&b, m, services); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

var stable = regexp.MustCompile(`^(?:api__|apis__(.*)__)(v\d+)_openapi\.json$`)

// describe makes a service of the newest stable version of each group.
func describe(files []string) ([]*api.Service, error) {
	newest := map[string]string{} // group -> file
	versions := map[string]string{}
	slices.Sort(files)
	for _, f := range files {
		if m := stable.FindStringSubmatch(filepath.Base(f)); m != nil {
			newest[m[1]], versions[m[1]] = f, m[2]
		}
	}
	out := []*api.Service{k8s.ClusterService()}
	for _, group := range slices.Sorted(maps.Keys(newest)) {
		doc, err := os.ReadFile(newest[group])
		if err != nil {
			return nil, err
		}
		s, err := service(group, versions[group], doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", newest[group], err)
		}
		if len(s.Operations) > 0 {
			out = append(out, s)
		}
	}
	return out, nil
}

// service describes the resources that can be listed and watched: what cannot
// be watched is made when it is asked for and has no identity.
func service(group, version string, doc []byte) (*api.Service, error) {
	schemas, err := k8s.ParseOpenAPI(doc, nil)
	if err != nil {
		return nil, err
	}
	var d struct {
		Paths map[string]struct {
			Get *struct {
				Action string                                `json:"x-kubernetes-action"`
				Kind   struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
			}
		}
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, err
	}
	s := &api.Service{
		Name: k8s.ServiceName(group), Title: "Kubernetes " + k8s.ServiceName(group), APIVersion: version,
		Protocol: "kubernetes", Operations: map[string]*api.Operation{},
	}
	base := k8s.Resource{Group: group, Version: version}.Path("") // ends with a slash
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		p := d.Paths[path]
		name, ok := strings.CutPrefix(path, base)
		if !ok || strings.Contains(name, "/") || p.Get == nil || p.Get.Action != "list" {
			continue
		}
		if _, watched := d.Paths[base+"watch/"+name]; !watched {
			continue
		}
		_, namespaced := d.Paths[base+"namespaces/{namespace}/"+name]
		r := k8s.Resource{Group: group, Version: version, Name: name, Kind: p.Get.Kind.Kind, Namespaced: namespaced}
		s.Operations[name] = k8s.Operation(r, schemas.Object(group, version, r.Kind))
	}
	return s, nil
}
