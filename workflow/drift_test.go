package workflow_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// TestUnknownMembersAreCounted has the cloud send a member that its
// description lacks.
func TestUnknownMembersAreCounted(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_ec2_volume")
	e.Put(at("", east), "ec2.DescribeVolumes", volume("vol-1", 1), volume("vol-2", 1))
	cloud, err := url.Parse(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	newer := httputil.NewSingleHostReverseProxy(cloud)
	novelty := []byte("<novelty>new</novelty>")
	newer.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = bytes.ReplaceAll(body, []byte("<volumeType>"), append(novelty, "<volumeType>"...))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	s := httptest.NewServer(newer)
	t.Cleanup(s.Close)
	t.Setenv("AWS_ENDPOINT_URL", s.URL)

	const drift = `SELECT kind, call, "column", code, count FROM problems`
	for range 2 {
		e.complete() // not among the report's problems
		e.want(drift, "aws_ec2_volume DescribeVolumes Volumes[].novelty drift 2")
	}
	novelty = nil
	e.complete()
	e.want(drift)
}
