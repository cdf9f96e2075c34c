package objects_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
)

// everyFault are the faults that a store has to get past.
func everyFault() map[string]objectstest.Fault {
	return map[string]objectstest.Fault{
		"SlowDown": objectstest.SlowDown, "Reset": objectstest.Reset, "Lost": objectstest.Lost, "Cut": objectstest.Cut, "Hang": objectstest.Hang,
	}
}

// testFaults breaks every third request in each way while a store is used,
// except for those that are spared.
func testFaults(t *testing.T, endpoint string, through func(endpoint string) string, faults map[string]objectstest.Fault, spare func(*http.Request) bool) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := objectstest.StartFaults(t, endpoint)
			stall := time.Minute
			if fault == objectstest.Hang {
				stall = 700 * time.Millisecond
			}
			st, err := objects.OpenImpatient(t.Context(), through(f.Endpoint), 20, stall)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			every := objectstest.EveryThird(fault)
			f.Set(func(n int64, r *http.Request) objectstest.Fault {
				if spare(r) {
					return objectstest.None
				}
				return every(n, r)
			})
			useStore(t, st)
			if n := f.Broken.Load(); n < 5 {
				t.Errorf("only %d of %d requests were broken", n, f.Requests.Load())
			}
		})
	}
}

// useStore does what a sync does.
func useStore(t *testing.T, st objects.Store) {
	ctx := t.Context()
	lease, err := st.Create(ctx, "lease", []byte("1"))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	large := make([]byte, 20<<20+7)
	_, _ = rand.Read(large)
	var wg sync.WaitGroup
	wg.Go(func() {
		w := st.Writer(ctx, "kind/part-0.parquet")
		defer w.Abort()
		if _, err := w.Write(large); err != nil {
			t.Errorf("Write: %v", err)
		}
		if info, err := w.Commit(); err != nil || info.Size != int64(len(large)) {
			t.Errorf("Commit: %+v, %v", info, err)
		}
	})
	wg.Go(func() {
		for i := range 6 {
			var err error
			if lease, err = st.Replace(ctx, "lease", fmt.Append(nil, "beat ", i), lease.Tag); err != nil {
				t.Errorf("Replace: %v", err)
				return
			}
		}
	})
	wg.Wait()
	if t.Failed() {
		return
	}
	var winners atomic.Int32
	for range 8 {
		wg.Go(func() {
			_, err := st.Create(ctx, "manifest", []byte(rand.Text()))
			if err == nil {
				winners.Add(1)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Errorf("Create: %v", err)
			}
		})
	}
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("%d of 8 racing writers won", n)
	}
	r, err := st.Open(ctx, "kind/part-0.parquet")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil || !bytes.Equal(h.Sum(nil), sum(large)) {
		t.Errorf("another object came back: %v", err)
	}
	p := make([]byte, 5000)
	if _, err := r.ReadAt(p, 12345); err != nil || !bytes.Equal(p, large[12345:][:5000]) {
		t.Errorf("ReadAt: %v", err)
	}
	if got, _, err := st.Get(ctx, "lease"); err != nil || string(got) != "beat 5" {
		t.Errorf("Get: %q, %v", got, err)
	}
	var keys []string
	for info, err := range st.List(ctx, "") {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		keys = append(keys, info.Key)
	}
	if got := strings.Join(keys, " "); got != "kind/part-0.parquet lease manifest" {
		t.Errorf("List: %s", got)
	}
	if err := st.Delete(ctx, keys...); err != nil {
		t.Errorf("Delete: %v", err)
	}
}

func sum(p []byte) []byte {
	h := sha256.Sum256(p)
	return h[:]
}

// testOverload lets a server refuse everything.
func testOverload(t *testing.T, endpoint string, through func(endpoint string) string) {
	f := objectstest.StartFaults(t, endpoint)
	st, err := objects.OpenImpatient(t.Context(), through(f.Endpoint), 3, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	f.Set(func(int64, *http.Request) objectstest.Fault { return objectstest.SlowDown })
	_, err = st.Create(t.Context(), "manifest", []byte("1"))
	if err == nil || objects.Unknown(err) || !strings.Contains(err.Error(), "overloaded") || !strings.Contains(err.Error(), "/manifest") {
		t.Errorf("refused: %v", err)
	}
	f.Set(func(int64, *http.Request) objectstest.Fault { return objectstest.Reset })
	if _, err = st.Create(t.Context(), "manifest", []byte("1")); !objects.Unknown(err) {
		t.Errorf("no answer: %v", err)
	}
	// The answer is lost until the attempts end, the reading back works.
	f.Set(func(_ int64, r *http.Request) objectstest.Fault {
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			return objectstest.Lost
		}
		return objectstest.None
	})
	if _, err = st.Create(t.Context(), "manifest", []byte("1")); err != nil {
		t.Errorf("written without an answer: %v", err)
	}
}

// testCancelledUpload cancels a writer while its parts are on their way.
func testCancelledUpload(t *testing.T, endpoint string, through func(endpoint string) string) {
	f := objectstest.StartFaults(t, endpoint)
	st := open(t, through(f.Endpoint))
	var uploads atomic.Int32
	arrived := make(chan struct{})
	f.Set(func(_ int64, r *http.Request) objectstest.Fault {
		if r.Method == http.MethodPut {
			if uploads.Add(1) == 1 {
				close(arrived)
			}
			return objectstest.Hang
		}
		return objectstest.None
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := st.Writer(ctx, "kind/part-0.parquet")
	go func() {
		<-arrived
		cancel()
	}()
	begin := time.Now()
	var err error
	for i := 0; i < 100 && err == nil; i++ {
		_, err = w.Write(make([]byte, 1<<20))
	}
	if err == nil {
		_, err = w.Commit()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled writer: %v", err)
	}
	w.Abort()
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v to end", d)
	}
}

// testCorruptUpload changes what a server receives.
func testCorruptUpload(t *testing.T, endpoint string, through func(endpoint string) string) {
	f := objectstest.StartFaults(t, endpoint)
	st, err := objects.OpenImpatient(t.Context(), through(f.Endpoint), 3, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	f.Set(func(_ int64, r *http.Request) objectstest.Fault {
		if r.ContentLength > 2000 {
			return objectstest.Corrupt
		}
		return objectstest.None
	})
	for _, size := range []int{5000, 20 << 20} {
		data := make([]byte, size)
		_, _ = rand.Read(data)
		w := st.Writer(t.Context(), "kind/part-0.parquet")
		_, err := w.Write(data)
		if err == nil {
			_, err = w.Commit()
		}
		w.Abort()
		if err == nil || !strings.Contains(err.Error(), "write ") {
			t.Errorf("%d bytes: %v", size, err)
		}
		if _, _, err := st.Get(t.Context(), "kind/part-0.parquet"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d corrupt bytes are visible: %v", size, err)
		}
	}
}

func testErrors(t *testing.T, cases map[string]string) {
	for url, want := range cases {
		st, err := objects.OpenImpatient(t.Context(), url, 2, time.Second)
		if err == nil {
			ctx := t.Context()
			w := st.Writer(ctx, "kind/part-0.parquet")
			_, werr := w.Commit()
			w.Abort()
			_, cerr := st.Create(ctx, "manifest", []byte("1"))
			_, oerr := st.Open(ctx, "manifest")
			_, _, gerr := st.Get(ctx, "manifest")
			var lerr error
			for _, lerr = range st.List(ctx, "") {
				break
			}
			derr := st.Delete(ctx, "manifest")
			for op, err := range map[string]error{"Writer": werr, "Create": cerr, "Open": oerr, "Get": gerr, "List": lerr, "Delete": derr} {
				checkError(t, url+": "+op, err, want)
			}
			continue
		}
		checkError(t, url, err, want)
	}
}

func checkError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, objects.ErrChanged) {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
	for _, secret := range []string{objectstest.SecretKey, "s3cr3t"} {
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error has the secret: %v", what, err)
		}
	}
}
