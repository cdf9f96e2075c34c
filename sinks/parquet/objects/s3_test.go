package objects_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
)

func TestS3(t *testing.T) {
	s3 := objectstest.StartS3(t)
	objectstest.Run(t, func(t *testing.T) objects.Store { return open(t, s3.URL()) })
	if n := s3.Uploads(t); n != 0 {
		t.Errorf("%d unfinished uploads are left", n)
	}
}

func TestS3Faults(t *testing.T) {
	s3 := objectstest.StartS3(t)
	t.Run("EveryThird", func(t *testing.T) {
		testFaults(t, s3.Endpoint, s3.Through, everyFault(), func(*http.Request) bool { return false })
	})
	t.Run("Overload", func(t *testing.T) { testOverload(t, s3.Endpoint, s3.Through) })
	t.Run("CorruptUpload", func(t *testing.T) { testCorruptUpload(t, s3.Endpoint, s3.Through) })
	t.Run("CancelledUpload", func(t *testing.T) { testCancelledUpload(t, s3.Endpoint, s3.Through) })
	if n := s3.Uploads(t); n != 0 {
		t.Errorf("%d unfinished uploads are left", n)
	}
}

// A process that is killed leaves its upload to the next one's Sweep.
func TestS3SweepsUploads(t *testing.T) {
	s3 := objectstest.StartS3(t)
	url := s3.URL()
	st := open(t, url)
	w := st.Writer(t.Context(), "kind/part-0.parquet")
	if _, err := w.Write(make([]byte, 20<<20)); err != nil {
		t.Fatal(err)
	}
	if n := s3.Uploads(t); n == 0 {
		t.Fatal("there is no upload to sweep")
	}
	if err := open(t, s3.URL()).Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := open(t, url).Sweep(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := s3.Uploads(t); n == 0 {
		t.Fatal("an upload was swept that is younger or has another prefix")
	}
	if err := open(t, url).Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err == nil {
		t.Error("an upload that was swept can be committed")
	}
	if n := s3.Uploads(t); n != 0 {
		t.Errorf("%d unfinished uploads are left", n)
	}
}

func TestS3ErrorsSayWhatToDo(t *testing.T) {
	s3 := objectstest.StartS3(t)
	moved := objectstest.StartFaults(t, s3.Endpoint)
	moved.Set(func(int64, *http.Request) objectstest.Fault { return objectstest.Moved })
	base := "s3://" + s3.Bucket + "/p?endpoint=" + s3.Endpoint
	testErrors(t, map[string]string{
		"s3://no-such-bucket/p?endpoint=" + s3.Endpoint:        "there is no bucket no-such-bucket: create it, or correct the URL",
		base + "&region=us-west-2":                             "the bucket is in another region than us-west-2: add ?region=" + s3.Region,
		"s3://" + s3.Bucket + "/p?endpoint=" + moved.Endpoint:  "the bucket is in another region than " + s3.Region + ": add ?region=ap-south-2",
		"s3://" + s3.Bucket + "/p?endpoint=http://127.0.0.1:1": "connection refused",
		base + "&profile=nobody":                               `there is no profile "nobody"`,
		base + "&path_style=maybe":                             `path_style is "maybe"`,
		base + "&secret=s3cr3t":                                `has no parameter "secret"`,
		"s3://key:s3cr3t@" + s3.Bucket + "/p":                  "must not carry credentials",
		"s3://key:s3cr3t-p@ss@" + s3.Bucket + "/p%zz":          "cannot be read",
		"s3:///p": "names no bucket",
		"s3://" + s3.Bucket + "/a/../b?endpoint=" + s3.Endpoint: "no prefix of keys",
		"s3://" + s3.Bucket + "/p?endpoint=127.0.0.1:7070":      "must begin with http",
		"azure://container/p?sig=s3cr3t":                        "is not known",
	})
	t.Run("WrongSecret", func(t *testing.T) {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-but-wrong")
		testErrors(t, map[string]string{base: "SignatureDoesNotMatch: the secret access key does not belong to the access key id: check AWS_SECRET_ACCESS_KEY"})
	})
	t.Run("WrongKey", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "NOBODY")
		testErrors(t, map[string]string{base: "access key"})
	})
	t.Run("NoCredentials", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "")
		testErrors(t, map[string]string{base: "no AWS credentials were found: set AWS_ACCESS_KEY_ID"})
	})
	t.Run("NoRegion", func(t *testing.T) {
		t.Setenv("AWS_REGION", "")
		testErrors(t, map[string]string{"s3://" + s3.Bucket + "/p": "no region is set: add ?region=REGION to the URL, or set AWS_REGION"})
	})
}

func TestS3TakesProfileAndEndpointFromTheEnvironment(t *testing.T) {
	s3 := objectstest.StartS3(t)
	file := filepath.Join(t.TempDir(), "config")
	err := os.WriteFile(file, []byte("[profile lake]\nregion = "+s3.Region+"\naws_access_key_id = "+objectstest.AccessKey+
		"\naws_secret_access_key = "+objectstest.SecretKey+"\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} {
		t.Setenv(k, "")
		os.Unsetenv(k)
	}
	os.Unsetenv("AWS_PROFILE")
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_ENDPOINT_URL_S3", s3.Endpoint)
	st := open(t, "s3://"+s3.Bucket+"/p/q/?profile=lake")
	if st.URL() != "s3://"+s3.Bucket+"/p/q" {
		t.Error(st.URL())
	}
	if err := objects.Check(t.Context(), st); err != nil {
		t.Error(err)
	}
}
