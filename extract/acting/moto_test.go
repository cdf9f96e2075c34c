package acting_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/acting"
	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/mototest"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/reading"
)

// moto is the emulator of AWS of all tests: its URL, what ends it.
var moto = sync.OnceValues(func() (string, error) {
	url, stop, err := mototest.Start()
	if err == nil {
		stopMoto = stop
	}
	return url, err
})

var stopMoto = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	stopMoto()
	os.Exit(code)
}

const region = "eu-west-1"

// amazon acts in the emulator, which forgets everything when the test ends.
func amazon(t *testing.T, kinds ...string) *acting.Cloud {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") != "" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	url, err := moto()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		res, err := http.Post(url+"/moto-api/reset", "text/plain", nil)
		if err != nil {
			t.Error(err)
			return
		}
		res.Body.Close()
	})
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": region,
		"AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
	cat, err := clouds.Load(catalog.Options{Only: kinds})
	if err != nil {
		t.Fatal(err)
	}
	client, err := aws.NewClient(t.Context(), aws.Options{MaxAttempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	a, err := client.Account(t.Context(), aws.AccountConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return &acting.Cloud{
		Declared: acting.Declared{Catalogue: cat, Vendors: clouds.Vendors()},
		Place: func(_ context.Context, _, _, region string) (reading.Place, error) {
			return client.Place(a, region), nil
		},
	}
}

// s3 makes a request of its own on the emulator.
func s3(t *testing.T, method, path, body string) string {
	t.Helper()
	return request(t, method, "s3", path, body)
}

func request(t *testing.T, method, service, path, body string) string {
	t.Helper()
	url, err := moto()
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260101/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	if service != "s3" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, res.Status, text)
	}
	return string(text)
}

// fill puts versions of objects with odd names into a bucket, and deletes one.
func fill(t *testing.T, bucket string, keys, versions int) {
	t.Helper()
	s3(t, "PUT", "/"+bucket, `<CreateBucketConfiguration><LocationConstraint>`+region+`</LocationConstraint></CreateBucketConfiguration>`)
	s3(t, "PUT", "/"+bucket+"?versioning", `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`)
	for i := range keys {
		for range versions {
			s3(t, "PUT", fmt.Sprintf("/%s/a%%20b%%2B%%26%%3C%%C3%%A9/%04d", bucket, i), "x")
		}
	}
	s3(t, "DELETE", fmt.Sprintf("/%s/a%%20b%%2B%%26%%3C%%C3%%A9/%04d", bucket, 0), "")
	s3(t, "POST", "/"+bucket+"/upload?uploads", "")
}
