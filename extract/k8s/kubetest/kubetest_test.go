package kubetest_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
)

func TestServerServesCopiesAndEnds(t *testing.T) {
	begun := time.Now()
	s, err := kubetest.Start(kubetest.Options{Users: []string{"reader"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	t.Logf("ready after %s", time.Since(begun))
	ctx := t.Context()
	pod := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-00000"},"spec":{"containers":[{"name":"c","image":"i"}]}}`
	if err := s.Create(ctx, "/api/v1/namespaces/default/pods", pod); err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	if err := s.Copy(ctx, "pods/default", "web-00000", 1200); err != nil {
		t.Fatal(err)
	}
	t.Logf("copied after %s", time.Since(begun))
	b, err := s.Do(ctx, "GET", "/api/v1/pods?limit=5000", nil)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Items []struct{ Metadata struct{ Name, UID string } }
	}
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	for _, p := range list.Items {
		uids[p.Metadata.UID] = true
	}
	if len(uids) != 1201 {
		t.Errorf("%d uids of 1201 pods", len(uids))
	}
	if err := s.Grant(ctx, "reader", "default", "pods"); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := os.Stat(s.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", s.Dir, err)
	}
}
