//go:build !iceberg

package iceberg

import (
	"context"
	"errors"
	"net/url"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// Catalog is what there is none of in a program without Iceberg.
type Catalog struct{}

var errWithout = errors.New("format=iceberg: this dewpoint was built without Iceberg: take the dewpoint-iceberg of the release, or build one with make build-iceberg")

// Open fails.
func Open(url.Values, objects.Store, string) (*Catalog, error) { return nil, errWithout }

// Publish fails.
func (*Catalog) Publish(context.Context, State) error { return errWithout }

// Check fails.
func (*Catalog) Check(context.Context) error { return errWithout }

// URI is empty.
func (*Catalog) URI() string { return "" }
