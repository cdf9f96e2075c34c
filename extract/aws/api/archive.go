// Package api holds the API descriptions of AWS services, trimmed from the
// service models that ship in botocore and embedded, their endpoints and the
// list of IAM actions.
package api

import (
	_ "embed"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/dewpoint-data/dewpoint/extract/api"
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

var descriptions = sync.OnceValue(func() *api.Archive {
	a, err := api.OpenArchive(archive)
	if err != nil {
		panic("api: embedded: " + err.Error())
	}
	return a
})

var source = sync.OnceValue(func() (m Manifest) {
	if err := descriptions().Manifest(&m); err != nil {
		panic("api: embedded: " + err.Error())
	}
	return m
})

var unzstd = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0))
	if err != nil {
		panic("api: " + err.Error())
	}
	return d
})

// Source returns what the descriptions are made from.
func Source() Manifest { return source() }

// Services returns the names of all services, sorted.
func Services() []string { return descriptions().Services() }

// Lookup returns the description of a service by its botocore name. It is
// decoded once and shared: it must not be changed. The error for an unknown
// name says which are near.
func Lookup(name string) (*api.Service, error) { return descriptions().Lookup(name) }
