package api

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// manifestName is the archive's entry that says what it is made from.
const manifestName = "manifest.json"

// Archive is a zip of a vendor's descriptions: manifest.json, then one entry
// per service, by name, which is decoded when it is first asked for. What it
// returns is shared and must not be changed.
type Archive struct {
	manifest []byte
	entries  []entry // sorted by name
}

// entry is a service of the archive.
type entry struct {
	name string
	load func() (*Service, error)
}

// OpenArchive opens what WriteArchive wrote. data is kept.
func OpenArchive(data string) (*Archive, error) {
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("archive of API descriptions: %w", err)
	}
	a := &Archive{}
	for _, f := range z.File {
		if f.Name == manifestName {
			if a.manifest, err = read(f); err != nil {
				return nil, fmt.Errorf("archive of API descriptions: %s: %w", f.Name, err)
			}
			continue
		}
		a.entries = append(a.entries, entry{f.Name, sync.OnceValues(func() (*Service, error) {
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
	if !slices.IsSortedFunc(a.entries, func(x, y entry) int { return strings.Compare(x.name, y.name) }) {
		return nil, fmt.Errorf("archive of API descriptions: its services are not sorted")
	}
	return a, nil
}

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

// Manifest decodes the JSON of the archive's manifest into v.
func (a *Archive) Manifest(v any) error {
	if err := json.Unmarshal(a.manifest, v); err != nil {
		return fmt.Errorf("manifest of API descriptions: %w", err)
	}
	return nil
}

// Services returns the names of all services, sorted.
func (a *Archive) Services() []string {
	names := make([]string, len(a.entries))
	for i, e := range a.entries {
		names[i] = e.name
	}
	return names
}

// Lookup returns the description of a service by name. It is decoded once and
// shared: it must not be changed. The error for an unknown name says which are
// near.
func (a *Archive) Lookup(name string) (*Service, error) {
	i, ok := slices.BinarySearchFunc(a.entries, name, func(e entry, n string) int { return strings.Compare(e.name, n) })
	if !ok {
		return nil, unknown("service", name, a.Services())
	}
	return a.entries[i].load()
}

// WriteArchive writes an archive with a manifest, which is anything that has
// JSON, and services, which it sorts by name. The same input gives the same
// bytes. It fails where a service does not read as it was written.
func WriteArchive(w io.Writer, manifest any, services []*Service) error {
	text, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20))
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	put := func(name string, data []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = f.Write(data)
		}
		return err
	}
	if err := put(manifestName, text); err != nil {
		return err
	}
	sorted := slices.SortedFunc(slices.Values(services), func(x, y *Service) int { return strings.Compare(x.Name, y.Name) })
	for _, s := range sorted {
		data := Encode(s)
		if err := same(s, data); err != nil {
			return err
		}
		if err := put(s.Name, enc.EncodeAll(data, nil)); err != nil {
			return err
		}
	}
	return z.Close()
}
