package gcpfake

import (
	"strings"

	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

// assets are what the Cloud Asset Inventory has of the types that a request
// asks for: the documents of the collections that the types' own lists have.
// It drops what may be a secret, as the inventory does.
func (s *Server) assets(r *Request) []map[string]any {
	var out []map[string]any
	for _, t := range r.Query["assetTypes"] {
		host, kind, _ := strings.Cut(t, "/")
		for _, name := range gcpapi.Services() {
			if !strings.HasPrefix(name, strings.TrimSuffix(host, "googleapis.com")) {
				continue
			}
			svc, err := gcpapi.Lookup(name)
			if err != nil {
				continue
			}
			for _, op := range svc.Operations {
				l, ok := list(op)
				if !ok || l.elem.Name != kind || strings.Contains(op.URI, "{zone}") || strings.Contains(op.URI, "{region}") {
					continue
				}
				own := *r
				own.Service, own.svc, own.op, own.Operation = name, svc, op, op.Name
				path := strings.NewReplacer("{project}", r.Project).Replace(op.URI)
				if !strings.Contains(op.URI, "{") {
					path += "?project=" + r.Project
				}
				if strings.Contains(path, "{") {
					continue
				}
				scopes := []string{""}
				if l.inner != "" {
					scopes = s.scopes(svc, path)
				}
				for _, sc := range scopes {
					for _, d := range s.collection(&own, l, strings.Replace(path, "aggregated", sc, 1)) {
						full := "//" + host + "/"
						if link, ok := d["selfLink"].(string); ok && strings.Contains(link, "/projects/") {
							full += link[strings.Index(link, "projects/"):]
						} else {
							id, _ := d["name"].(string)
							full += id
						}
						out = append(out, map[string]any{
							"name": full, "assetType": t, "ancestors": []any{"projects/1"},
							"resource": map[string]any{"version": svc.APIVersion, "data": d, "parent": "//cloudresourcemanager.googleapis.com/projects/1"},
						})
					}
				}
			}
		}
	}
	return out
}
