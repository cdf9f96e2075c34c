package objects_test

import (
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
)

func TestGCS(t *testing.T) {
	gcs := objectstest.StartGCS(t)
	objectstest.Run(t, func(t *testing.T) objects.Store { return open(t, gcs.URL()) })
}
