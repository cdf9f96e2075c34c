package acting_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

func bucket(name string) action.Resource {
	return action.Resource{Cloud: "aws", Account: "123456789012", Region: region, Kind: "aws_s3_bucket", ID: name, Name: name, URN: "arn:aws:s3:::" + name}
}

// TestBucketIsEmptied empties a bucket of several pages of versions, is ended
// in the middle, and goes on with what is left.
func TestBucketIsEmptied(t *testing.T) {
	c := amazon(t, "aws_s3_bucket")
	fill(t, "full", 350, 3)
	r := bucket("full")
	without, err := c.Calls(action.Delete, r, action.Args{})
	if err != nil || len(without) != 1 {
		t.Fatalf("without the option it takes %v: %v", without, err)
	}
	_, err = c.Do(t.Context(), r, without[0])
	var e *action.Error
	if !errors.As(err, &e) || e.Code != "BucketNotEmpty" || e.Busy || e.Gone {
		t.Fatalf("a bucket that is not empty: %v", err)
	}

	calls, err := c.Calls(action.Delete, r, action.Args{Options: action.Options{Empty: true}})
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, x := range calls {
		ops = append(ops, x.Op)
	}
	if got := strings.Join(ops, " "); got != "AbortMultipartUpload DeleteObjects DeleteBucket" || !strings.Contains(calls[1].Says, "every version of every object") {
		t.Fatalf("the calls are %+v", calls)
	}
	ended := errors.New("ended")
	ctx, end := context.WithCancelCause(t.Context())
	var counts []int
	_, err = c.Sweep(ctx, r, calls[1], func(n int) error {
		counts = append(counts, n)
		end(ended)
		return nil
	})
	if !errors.Is(err, ended) || len(counts) != 1 || counts[0] != 1000 {
		t.Fatalf("ended after %v: %v", counts, err)
	}
	counts = nil
	for _, x := range calls[:2] {
		if _, err := c.Sweep(t.Context(), r, x, func(n int) error { counts = append(counts, n); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	// An upload, then the versions that are left with the mark of the deletion.
	if want := []int{1, 51}; !slices.Equal(counts, want) {
		t.Errorf("the rest was counted as %v, want %v", counts, want)
	}
	if _, err := c.Do(t.Context(), r, calls[2]); err != nil {
		t.Fatal(err)
	}
	if text := s3(t, "GET", "/", ""); strings.Contains(text, "full") {
		t.Errorf("the bucket is still there: %s", text)
	}
}

// TestBucketThatCannotBeEmptied is said so before where it is known, and by
// the first keys that are refused where it is not.
func TestBucketThatCannotBeEmptied(t *testing.T) {
	c := amazon(t, "aws_s3_bucket")
	r := bucket("mfa")
	r.Columns = map[string]string{"versioning_mfa_delete": "Enabled"}
	if _, err := c.Calls(action.Delete, r, action.Args{Options: action.Options{Empty: true}}); err == nil || err.Error() != "it cannot be emptied: its versioning_mfa_delete is Enabled" {
		t.Errorf("a bucket whose versions only root can delete: %v", err)
	}
	if _, err := c.Calls(action.Delete, r, action.Args{}); err != nil {
		t.Error(err)
	}
	s3(t, "PUT", "/locked", `<CreateBucketConfiguration><LocationConstraint>`+region+`</LocationConstraint></CreateBucketConfiguration>`)
	s3(t, "PUT", "/locked/free", "x")
	s3(t, "PUT", "/locked?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::locked/*"}]}`)
	calls, err := c.Calls(action.Delete, bucket("locked"), action.Args{Options: action.Options{Empty: true}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Sweep(t.Context(), bucket("locked"), calls[1], func(int) error { return nil })
	var e *action.Error
	if !errors.As(err, &e) || e.Code != "AccessDenied" || e.Busy || !strings.Contains(err.Error(), "free") {
		t.Errorf("keys that are denied: %v", err)
	}
}
