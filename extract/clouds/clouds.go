// Package clouds lists the clouds that dewpoint reads.
package clouds

import (
	awscatalog "github.com/dewpoint-data/dewpoint/extract/aws/catalog"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	gcpcatalog "github.com/dewpoint-data/dewpoint/extract/gcp/catalog"
	k8scatalog "github.com/dewpoint-data/dewpoint/extract/k8s/catalog"
)

// Vendors are all clouds, by name.
func Vendors() []catalog.Vendor {
	return []catalog.Vendor{awscatalog.Vendor(), gcpcatalog.Vendor(), k8scatalog.Vendor()}
}

// Load loads the catalogue of all clouds.
func Load(o catalog.Options) (*catalog.Catalogue, error) { return catalog.Load(Vendors(), o) }
