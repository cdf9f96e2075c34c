package gcpfake

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Secret is what stands in every member that may hold a secret. A row or a
// recording that has it is one too many.
const Secret = "s3cr3t-of-the-fake"

func hash(parts ...any) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return h.Sum64()
}

// generator makes values of shapes, the same for the same seed.
type generator struct {
	rand    *rand.Rand
	compute bool
	depth   int
}

// maxDepth is how deep structures nest.
const maxDepth = 5

// make makes the document of a collection with a number.
func (s *Server) make(r *Request, shape *api.Shape, path string, i int) map[string]any {
	seed := hash(r.Service, shape.Name, path, i)
	g := &generator{rand: rand.New(rand.NewPCG(seed, 1)), compute: strings.HasPrefix(r.Service, "compute.")}
	d, _ := g.value(shape, "", "").(map[string]any)
	if d == nil {
		d = map[string]any{}
	}
	s.identify(r, shape, d, path, i)
	return d
}

func (g *generator) value(s *api.Shape, structure, name string) any {
	switch s.Type {
	case "structure":
		if s.Document {
			return map[string]any{"a": "b"}
		}
		if g.depth >= maxDepth {
			return nil
		}
		g.depth++
		defer func() { g.depth-- }()
		out := map[string]any{}
		for i := range s.Members {
			m := &s.Members[i]
			scalar := m.Shape.Type != "structure" && m.Shape.Type != "list" && m.Shape.Type != "map"
			if g.depth > 1 && g.rand.IntN(3) == 0 || g.depth == 1 && !scalar && g.rand.IntN(10) == 0 {
				continue
			}
			v := g.value(m.Shape, s.Name, m.Name)
			if m.Sensitive {
				v = conceal(m.Shape)
			}
			if v != nil {
				out[m.Name] = v
			}
		}
		return out
	case "list":
		var out []any
		for range 1 + g.rand.IntN(2) {
			if v := g.value(s.Elem, structure, name); v != nil {
				out = append(out, v)
			}
		}
		if out == nil {
			return nil
		}
		return out
	case "map":
		out := map[string]any{}
		for i := range 1 + g.rand.IntN(2) {
			if v := g.value(s.Value, structure, name); v != nil {
				out[fmt.Sprintf("key%d", i)] = v
			}
		}
		return out
	case "boolean":
		return g.rand.IntN(2) == 0
	case "integer":
		return g.rand.IntN(1000)
	case "long", "biginteger":
		if strings.HasSuffix(strings.ToLower(name), "time") {
			return fmt.Sprint(1_500_000_000_000 + g.rand.Int64N(200_000_000_000)) // milliseconds
		}
		return fmt.Sprint(g.rand.Uint64() >> 2)
	case "float", "double":
		return float64(g.rand.IntN(100_000)) / 16
	case "timestamp":
		return g.time()
	case "blob":
		return base64.StdEncoding.EncodeToString(fmt.Append(nil, g.rand.Uint32()))
	}
	return g.text(s, name)
}

// conceal is a secret of a shape.
func conceal(s *api.Shape) any {
	switch s.Type {
	case "list":
		return []any{conceal(s.Elem)}
	case "map":
		return map[string]any{"KEY": conceal(s.Value)}
	case "structure":
		out := map[string]any{}
		for _, m := range s.Members {
			if m.Shape.Type == "string" {
				out[m.Name] = Secret
			}
		}
		return out
	}
	return Secret
}

// time is a time in one of the ways that Google writes them: compute's is in
// Pacific time.
func (g *generator) time() string {
	t := time.UnixMilli(1_420_070_400_000 + g.rand.Int64N(330_000_000_000)).UTC()
	if g.compute {
		return t.In(time.FixedZone("PST", -8*3600)).Format("2006-01-02T15:04:05.000-07:00")
	}
	return t.Format([]string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z", "2006-01-02T15:04:05.000000Z", "2006-01-02T15:04:05+00:00"}[g.rand.IntN(4)])
}

var words = []string{"alpha", "Beta", "übergröße", "名前", "a&b", "<tag>", `"quoted"`, "back\\slash", "tab\tstop", "emoji 🦫"}

func (g *generator) text(s *api.Shape, name string) any {
	if len(s.Enum) > 0 {
		return s.Enum[g.rand.IntN(len(s.Enum))]
	}
	if strings.HasSuffix(name, "Duration") || name == "ttl" {
		return fmt.Sprintf("%ds", g.rand.IntN(3600))
	}
	if g.depth > 1 && g.rand.IntN(20) == 0 {
		return ""
	}
	return words[g.rand.IntN(len(words))] + fmt.Sprintf("-%x", g.rand.Uint32N(1<<24))
}

var upper = regexp.MustCompile(`[A-Z]`)

// singular is a collection's name as one of it is called: instance-groups to
// instance-group.
func singular(collection string) string {
	one := upper.ReplaceAllStringFunc(collection, func(c string) string { return "-" + strings.ToLower(c) })
	switch {
	case strings.HasSuffix(one, "ies"):
		return one[:len(one)-3] + "y"
	case strings.HasSuffix(one, "sses"), strings.HasSuffix(one, "xes"):
		return one[:len(one)-2]
	}
	return strings.TrimSuffix(one, "s")
}

// identify gives a document what tells it from others: its names, in the
// service's way, and the place it is in.
func (s *Server) identify(r *Request, shape *api.Shape, d map[string]any, path string, i int) {
	path, query, _ := strings.Cut(path, "?")
	trimmed := path
	if version, rest, ok := strings.Cut(path, "/"); ok && strings.HasPrefix(version, "v") && len(version) < 8 {
		trimmed = rest
	}
	collection := trimmed[strings.LastIndexByte(trimmed, '/')+1:]
	name := fmt.Sprintf("%s-%d", singular(collection), i)
	if _, instance, ok := strings.Cut(query, "instance="); ok {
		name = instance + "-" + name
	}
	set := func(member string, v any) {
		if m := shape.Member(member); m != nil {
			if m.Shape.Type == "string" || m.Shape.Type == "long" || m.Shape.Type == "biginteger" || m.Shape.Type == "blob" {
				d[member] = v
			}
		}
	}
	full := trimmed + "/" + name
	number := fmt.Sprint(hash(path, i) >> 2)
	api, _, _ := strings.Cut(r.Service, ".")
	bare := strings.Contains(" compute storage sqladmin dns container deploymentmanager ", " "+api+" ")
	if bare {
		set("name", name)
	} else {
		set("name", full)
	}
	set("id", number)
	set("uid", number)
	set("uniqueId", number)
	set("project", r.Project)
	set("projectId", r.Project)
	location := ""
	for _, k := range []string{"locations", "zones", "regions"} {
		if _, after, ok := strings.Cut(trimmed, "/"+k+"/"); ok {
			location, _, _ = strings.Cut(after, "/")
			if location != "-" {
				set("location", location)
			}
		}
	}
	switch api {
	case "compute":
		base := "https://www.googleapis.com/compute/v1/"
		set("selfLink", base+full)
		delete(d, "zone")
		delete(d, "region")
		if before, after, ok := strings.Cut(trimmed, "/zones/"); ok && !strings.HasSuffix(trimmed, "zones") {
			zone, _, _ := strings.Cut(after, "/")
			set("zone", base+before+"/zones/"+zone)
		}
		if before, after, ok := strings.Cut(trimmed, "/regions/"); ok {
			region, _, _ := strings.Cut(after, "/")
			set("region", base+before+"/regions/"+region)
		}
	case "storage":
		set("name", r.Project+"-"+name)
		set("id", r.Project+"-"+name)
		set("selfLink", "https://www.googleapis.com/storage/v1/b/"+r.Project+"-"+name)
		if p := s.project(r.Project); p != nil {
			set("projectNumber", p.Number)
		}
	case "iam":
		if shape.Member("email") != nil {
			set("email", fmt.Sprintf("sa-%d@%s.iam.gserviceaccount.com", i, r.Project))
			set("name", fmt.Sprintf("projects/%s/serviceAccounts/sa-%d@%s.iam.gserviceaccount.com", r.Project, i, r.Project))
		}
	case "container":
		if location == "-" || location == "" {
			z := s.opts.Zones[i%len(s.opts.Zones)]
			set("location", z)
			full = strings.Replace(full, "/locations/-/", "/locations/"+z+"/", 1)
		}
		set("selfLink", "https://container.googleapis.com/v1/"+full)
	case "bigquery":
		parts := strings.Split(trimmed, "/")
		if shape.Member("datasetReference") != nil {
			d["datasetReference"] = map[string]any{"projectId": r.Project, "datasetId": fmt.Sprintf("dataset_%d", i)}
			set("id", fmt.Sprintf("%s:dataset_%d", r.Project, i))
		}
		if shape.Member("tableReference") != nil && len(parts) > 3 {
			d["tableReference"] = map[string]any{"projectId": r.Project, "datasetId": parts[3], "tableId": fmt.Sprintf("table_%d", i)}
			set("id", fmt.Sprintf("%s:%s.table_%d", r.Project, parts[3], i))
		}
		if shape.Member("routineReference") != nil && len(parts) > 3 {
			d["routineReference"] = map[string]any{"projectId": r.Project, "datasetId": parts[3], "routineId": fmt.Sprintf("routine_%d", i)}
		}
	case "sqladmin":
		if shape.Name == "DatabaseInstance" {
			set("state", "RUNNABLE")
			set("instanceType", "CLOUD_SQL_INSTANCE")
		}
	case "serviceusage":
		d["config"] = map[string]any{"name": fmt.Sprintf("service%d.googleapis.com", i), "title": "A service"}
	case "artifactregistry":
		if shape.Member("format") != nil {
			set("format", []string{"DOCKER", "MAVEN", "NPM"}[i%3])
		}
	case "dns":
		if strings.HasSuffix(path, "rrsets") {
			set("name", fmt.Sprintf("r%d.example.com.", i))
			set("type", []string{"A", "AAAA", "TXT"}[i%3])
		}
	}
	// A generated location in the middle of a wildcard list.
	if strings.Contains(full, "/locations/-/") && !bare {
		rs := s.regions()
		set("name", strings.Replace(full, "/locations/-/", "/locations/"+rs[i%len(rs)]+"/", 1))
	}
}
