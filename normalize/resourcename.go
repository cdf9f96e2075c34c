package normalize

import (
	"bytes"
	"fmt"
	"strings"
)

// checkFullName checks the argument of FullName: a service, and a collection
// behind a comma: "compute.googleapis.com, zones/{region}/disks".
func checkFullName(arg string) error {
	host, base, more := strings.Cut(arg, ",")
	switch {
	case strings.ContainsAny(host, "/{} ") || arg != "" && host == "":
		return fmt.Errorf("full_name(%s): %q is no service: compute.googleapis.com", arg, host)
	case more && strings.TrimSpace(base) == "":
		return fmt.Errorf("full_name(%s): the collection is missing behind the comma", arg)
	}
	rest := strings.NewReplacer("{account}", "", "{region}", "").Replace(base)
	if strings.ContainsAny(rest, "{}") {
		return fmt.Errorf("full_name(%s): a collection knows {account} and {region}", arg)
	}
	return nil
}

// roots are the collections that full names begin with.
var roots = [][]byte{[]byte("projects/"), []byte("folders/"), []byte("organizations/"), []byte("billingAccounts/")}

// fullName makes the full resource name of a resource:
// "//compute.googleapis.com/projects/p/zones/z/instances/i". It takes self
// links under any host and version, full names, names relative to the service
// (projects/...) or to the project (zones/...), and, where the argument has a
// collection, the bare name of something in it. The service is the
// argument's, else the link's. Project numbers become ids where they are
// known. What is no such name yields nothing.
func (w *walker) fullName(b []byte, arg string) []byte {
	link := b
	if i := bytes.IndexByte(link, '?'); i >= 0 {
		link = link[:i]
	}
	if i := bytes.IndexByte(link, '#'); i >= 0 {
		link = link[:i]
	}
	for i := range w.heads {
		if h := &w.heads[i]; len(h.link) > 0 && h.arg == arg && bytes.HasPrefix(link, h.link) && len(link) > len(h.link) {
			start := len(w.arena)
			w.arena = append(append(w.arena, h.name...), link[len(h.link):]...)
			return w.arena[start:len(w.arena):len(w.arena)]
		}
	}
	whole := link
	host, base, _ := strings.Cut(arg, ",")
	absolute := false
	if i := bytes.Index(link, []byte("://")); i >= 0 && i < len("https")+1 {
		link, absolute = link[i+len("://"):], true
	} else if bytes.HasPrefix(link, []byte("//")) {
		link, absolute = link[2:], true
	}
	if absolute {
		var own []byte
		own, link, _ = bytes.Cut(link, []byte{'/'})
		if host == "" {
			host = serviceOf(own, link)
		}
		at := rootIn(link)
		if at < 0 {
			return nil
		}
		link = link[at:]
	} else {
		link = bytes.TrimLeft(link, "/")
	}
	if host == "" || len(link) == 0 {
		return nil
	}
	start := len(w.arena)
	put := func(s ...string) {
		for _, s := range s {
			w.arena = append(w.arena, s...)
		}
	}
	put("//", host, "/")
	project := func() bool {
		put("projects/")
		n := len(w.arena)
		w.arena = w.variable(w.arena, "account")
		put("/")
		return len(w.arena) > n+1
	}
	switch {
	case rootIn(link) == 0:
		collection, rest, _ := bytes.Cut(link, []byte{'/'})
		w.arena = append(append(w.arena, collection...), '/')
		name, rest, more := bytes.Cut(rest, []byte{'/'})
		w.arena = append(w.arena, w.named(name)...)
		if more {
			w.arena = append(w.arena, '/')
			w.heads[w.nextHead] = linkHead{arg, bytes.Clone(whole[:len(whole)-len(rest)]), bytes.Clone(w.arena[start:])}
			w.nextHead = (w.nextHead + 1) % len(w.heads)
			w.arena = append(w.arena, rest...)
		}
	case bytes.IndexByte(link, '/') >= 0: // of the project
		if !project() {
			return nil
		}
		w.arena = append(w.arena, link...)
	case base == "" || !project():
		return nil
	default:
		for base = strings.TrimSpace(base); base != ""; {
			text, rest, _ := strings.Cut(base, "{")
			put(text)
			var name string
			name, base, _ = strings.Cut(rest, "}")
			if name != "" {
				w.arena = w.variable(w.arena, name)
			}
		}
		w.arena = append(append(w.arena, '/'), link...)
	}
	return w.arena[start:len(w.arena):len(w.arena)]
}

// linkHead is the beginning of a link, up to the project, and that of the full
// name that was made of it: most links of a page have the same.
type linkHead struct {
	arg        string
	link, name []byte
}

// rootIn is where a full name's path begins, -1 for nowhere.
func rootIn(path []byte) int {
	at := -1
	for _, r := range roots {
		for from := 0; ; {
			i := bytes.Index(path[from:], r)
			if i < 0 {
				break
			}
			if i += from; i == 0 || path[i-1] == '/' {
				if at < 0 || i < at {
					at = i
				}
				break
			}
			from = i + 1
		}
	}
	return at
}

// serviceOf is the service of a link: the host, or, under a host that many
// share, the first part of the path.
func serviceOf(host, path []byte) string {
	if string(host) == "www.googleapis.com" || string(host) == "content.googleapis.com" {
		service, _, _ := bytes.Cut(path, []byte{'/'})
		if len(service) == 0 {
			return ""
		}
		return string(service) + ".googleapis.com"
	}
	return string(host)
}

// named is the name that stands for another, or the name itself.
func (w *walker) named(name []byte) []byte {
	if f := w.plan.spec.Names; f != nil {
		if s, ok := f(string(name)); ok {
			return []byte(s)
		}
	}
	return name
}

// project is the id of the project in a resource name, or of a bare id or
// number.
func (w *walker) project(b []byte) []byte {
	if i := pathPart(b, "projects"); i != nil {
		return w.named(i)
	}
	if bytes.IndexByte(b, '/') >= 0 {
		return nil
	}
	return w.named(b)
}

// location is the zone, region or location in a resource name: what is behind
// the first of these collections. A name without slashes is one itself.
func location(b []byte) []byte {
	if bytes.IndexByte(b, '/') < 0 {
		return b
	}
	for _, c := range []string{"zones", "regions", "locations"} {
		if s := pathPart(b, c); s != nil {
			return s
		}
	}
	return []byte("global")
}

// pathPart is the part of a path behind the collection, nil if there is none.
func pathPart(b []byte, collection string) []byte {
	for rest := b; len(rest) > 0; {
		var part []byte
		part, rest, _ = bytes.Cut(rest, []byte{'/'})
		if string(part) == collection && len(rest) > 0 {
			part, _, _ = bytes.Cut(rest, []byte{'/'})
			return part
		}
	}
	return nil
}
