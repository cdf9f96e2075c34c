package objects_test

import (
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
)

func TestS3(t *testing.T) {
	s3 := objectstest.StartS3(t)
	objectstest.Run(t, func(t *testing.T) objects.Store { return open(t, s3.URL()) })
	if n := s3.Uploads(t); n != 0 {
		t.Errorf("%d files of unfinished uploads are left", n)
	}
}
