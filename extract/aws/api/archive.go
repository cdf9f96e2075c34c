package api

import (
	"archive/zip"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

//go:generate go run ./gen

//go:embed services.zip
var archive string

// Manifest says what the embedded descriptions are made from.
type Manifest struct {
	Source, Version, SHA256 string
	Services, Operations    int
	// Signing holds the services by the name that they sign for, which
	// several may share.
	Signing map[string][]string
}

// entry is a service of the archive, decoded when it is first asked for.
type entry struct {
	name string
	load func() (*Service, error)
}

// contents are the archive's manifest and entries, sorted by name.
var contents = sync.OnceValues(func() (m Manifest, entries []entry) {
	z, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		panic("api: embedded archive: " + err.Error())
	}
	for _, f := range z.File {
		if f.Name == "manifest.json" {
			data, err := read(f)
			if err == nil {
				err = json.Unmarshal(data, &m)
			}
			if err != nil {
				panic("api: embedded manifest: " + err.Error())
			}
			continue
		}
		entries = append(entries, entry{f.Name, sync.OnceValues(func() (*Service, error) {
			data, err := read(f)
			if err == nil {
				data, err = unzstd().DecodeAll(data, nil)
			}
			if err != nil {
				return nil, fmt.Errorf("description of %s: %w", f.Name, err)
			}
			s, err := Decode(data)
			if err != nil {
				return nil, fmt.Errorf("description of %s: %w", f.Name, err)
			}
			return s, nil
		})})
	}
	return m, entries
})

var unzstd = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0))
	if err != nil {
		panic("api: " + err.Error())
	}
	return d
})

func read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Source returns what the descriptions are made from.
func Source() Manifest {
	m, _ := contents()
	return m
}

// Services returns the names of all services, sorted.
func Services() []string {
	_, entries := contents()
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.name
	}
	return names
}

// Lookup returns the description of a service by its botocore name. It is
// decoded once and shared: it must not be changed. The error for an unknown
// name says which are near.
func Lookup(name string) (*Service, error) {
	_, entries := contents()
	i, ok := slices.BinarySearchFunc(entries, name, func(e entry, n string) int { return strings.Compare(e.name, n) })
	if !ok {
		return nil, unknown("service", name, Services())
	}
	return entries[i].load()
}

// Operation returns an operation of the service. The error for an unknown
// name says which are near.
func (s *Service) Operation(name string) (*Operation, error) {
	if o := s.Operations[name]; o != nil {
		return o, nil
	}
	names := make([]string, 0, len(s.Operations))
	for n := range s.Operations {
		names = append(names, n)
	}
	return nil, unknown("operation", s.Name+"."+name, names, s.Name+".")
}
