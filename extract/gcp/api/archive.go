// Package api holds the API descriptions of Google Cloud's services, trimmed
// from the discovery documents that ship in the module google.golang.org/api
// and embedded: the operations that read, and those by which resources are
// labelled, stopped and deleted.
//
// Services are named by the document's name and version (compute.v1),
// operations by the method's id without the API's name
// (instances.aggregatedList). An operation's input holds the parameters and
// the members of the body.
package api

import (
	_ "embed"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

//go:generate go run ./gen

//go:embed services.zip
var archive string

// Manifest says what the embedded descriptions are made from.
type Manifest struct {
	Source, Version, Sum string
	Services, Operations int
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

// Source returns what the descriptions are made from.
func Source() Manifest { return source() }

// Services returns the names of all services, sorted.
func Services() []string { return descriptions().Services() }

// Lookup returns the description of a service by its name: compute.v1. It is
// decoded once and shared: it must not be changed. The error for an unknown
// name says which are near.
func Lookup(name string) (*api.Service, error) { return descriptions().Lookup(name) }
