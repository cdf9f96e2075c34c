// Package objectstest holds the suite that every store of objects passes, and
// the servers that it runs against.
package objectstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// Run runs the suite. open returns an empty store each time it is called.
func Run(t *testing.T, open func(t *testing.T) objects.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, objects.Store)
	}{
		{"MissingObject", missingObject},
		{"WholeObject", wholeObject},
		{"LargeObject", largeObject},
		{"Ranges", ranges},
		{"OverwrittenObject", overwrittenObject},
		{"NothingBeforeCommit", nothingBeforeCommit},
		{"CancelledWriter", cancelledWriter},
		{"Create", create},
		{"CreateRace", createRace},
		{"Replace", replace},
		{"ReplaceRace", replaceRace},
		{"Remove", remove},
		{"ListOrder", listOrder},
		{"ListPages", listPages},
		{"BadKeys", badKeys},
		{"Check", check},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := open(t)
			defer func() {
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			}()
			c.run(t, st)
		})
	}
}

func missingObject(t *testing.T, st objects.Store) {
	ctx := t.Context()
	write(t, st, "there/is", []byte("1"))
	for _, key := range []string{"none", "no/ne", "there/none", "there/is/none", "there"} {
		if _, _, err := st.Get(ctx, key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get %s: %v", key, err)
		}
		if _, err := st.Open(ctx, key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open %s: %v", key, err)
		}
		if _, err := st.Replace(ctx, key, []byte("x"), "0123"); strings.HasPrefix(key, "no") && !errors.Is(err, objects.ErrChanged) {
			t.Errorf("Replace %s: %v", key, err)
		}
	}
	if err := st.Delete(ctx, "none", "no/ne"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if err := st.Delete(ctx); err != nil {
		t.Errorf("Delete nothing: %v", err)
	}
	if got := keys(t, st, "absent/"); len(got) != 0 {
		t.Errorf("List: %v", got)
	}
}

func wholeObject(t *testing.T, st objects.Store) {
	for _, key := range []string{
		"a", "kind/sync_date=2026-11-22/sync_id=0191f0c1-0000-7000-8000-000000000000/part-0.parquet",
		"with space+plus%percent&?#.json", "ünï/日本/🙂",
	} {
		for _, data := range [][]byte{{}, []byte("1"), random(100_000)} {
			info := write(t, st, key, data)
			if info.Key != key || info.Size != int64(len(data)) || time.Since(info.ModifiedAt).Abs() > time.Hour {
				t.Errorf("%s: Commit: %+v", key, info)
			}
			got, ginfo := read(t, st, key)
			if !bytes.Equal(got, data) || ginfo.Key != key || ginfo.Size != info.Size || ginfo.Tag == "" {
				t.Errorf("%s: %d bytes came back as %d, %+v", key, len(data), len(got), ginfo)
			}
			r, err := st.Open(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes read as %d: %v", key, len(data), len(got), err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := st.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if _, _, err := st.Get(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s after Delete: %v", key, err)
		}
	}
}

// largeSize is more than a part of any store and no multiple of one.
const largeSize = 37<<20 + 12345

func largeObject(t *testing.T, st objects.Store) {
	data := random(largeSize)
	w := st.Writer(t.Context(), "large/object")
	defer w.Abort()
	for at := 0; at < len(data); {
		n := min(1+rand.IntN(3<<20), len(data)-at)
		if m, err := w.Write(data[at : at+n]); err != nil || m != n {
			t.Fatal(m, err)
		}
		at += n
	}
	info, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if info.Size != largeSize {
		t.Errorf("size %d", info.Size)
	}
	r, err := st.Open(t.Context(), "large/object")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got bytes.Buffer
	if n, err := io.Copy(&got, r); err != nil || n != largeSize || !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d of %d bytes came back: %v", n, largeSize, err)
	}
}

func ranges(t *testing.T, st objects.Store) {
	data := random(300_000)
	write(t, st, "r", data)
	r, err := st.Open(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Size() != int64(len(data)) || r.Info().Size != r.Size() {
		t.Errorf("size %d, %+v", r.Size(), r.Info())
	}
	for _, c := range []struct {
		offset int64
		n      int
		err    error
	}{
		{0, 1, nil}, {0, 300_000, nil}, {299_999, 1, nil}, {1000, 8, nil}, {299_990, 20, io.EOF}, {300_000, 1, io.EOF}, {400_000, 1, io.EOF}, {5, 0, nil},
	} {
		p := make([]byte, c.n)
		n, err := r.ReadAt(p, c.offset)
		want := data[min(c.offset, 300_000):min(c.offset+int64(c.n), 300_000)]
		if err != c.err || !bytes.Equal(p[:n], want) {
			t.Errorf("ReadAt %d+%d: %d bytes, %v", c.offset, c.n, n, err)
		}
	}
	if _, err := r.Seek(-100, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if tail, err := io.ReadAll(r); err != nil || !bytes.Equal(tail, data[len(data)-100:]) {
		t.Errorf("the last 100 bytes came as %d: %v", len(tail), err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := make([]byte, 1000)
			if _, err := r.ReadAt(p, int64(i)*30_000); err != nil || !bytes.Equal(p, data[i*30_000:][:1000]) {
				t.Errorf("concurrent ReadAt: %v", err)
			}
		})
	}
	wg.Wait()
}

func overwrittenObject(t *testing.T, st objects.Store) {
	data := random(200_000)
	write(t, st, "o", data)
	r, err := st.Open(t.Context(), "o")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	write(t, st, "o", random(200_000))
	p := make([]byte, 1000)
	if _, err := r.ReadAt(p, 5000); err == nil && !bytes.Equal(p, data[5000:6000]) {
		t.Error("a reader of one version returned bytes of another")
	} else if err != nil && !errors.Is(err, objects.ErrChanged) {
		t.Errorf("a reader of a version that is gone: %v", err)
	}
}

func nothingBeforeCommit(t *testing.T, st objects.Store) {
	for _, size := range []int{0, 10, largeSize} {
		w := st.Writer(t.Context(), "n/object")
		if _, err := w.Write(random(size)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := st.Get(t.Context(), "n/object"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d bytes are visible before Commit: %v", size, err)
		}
		if got := keys(t, st, ""); len(got) != 0 {
			t.Errorf("%d bytes are listed before Commit: %v", size, got)
		}
		w.Abort()
		w.Abort()
		if _, err := w.Commit(); err == nil {
			t.Error("Commit after Abort succeeds")
		}
		if got := keys(t, st, ""); len(got) != 0 {
			t.Errorf("%d bytes are listed after Abort: %v", size, got)
		}
	}
}

func cancelledWriter(t *testing.T, st objects.Store) {
	write(t, st, "c", []byte("old"))
	for _, size := range []int{10, largeSize} {
		ctx, cancel := context.WithCancel(t.Context())
		w := st.Writer(ctx, "c")
		if _, err := w.Write(random(size)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := w.Commit(); !errors.Is(err, context.Canceled) {
			t.Errorf("Commit after cancellation: %v", err)
		}
		w.Abort()
		if got, _ := read(t, st, "c"); string(got) != "old" {
			t.Errorf("the object is %d bytes after a cancelled writer", len(got))
		}
	}
}

func create(t *testing.T, st objects.Store) {
	info, err := st.Create(t.Context(), "dir/c", []byte("first"))
	if err != nil || info.Size != 5 || info.Key != "dir/c" || info.Tag == "" {
		t.Fatal(info, err)
	}
	if _, err := st.Create(t.Context(), "dir/c", []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second Create: %v", err)
	}
	got, ginfo := read(t, st, "dir/c")
	if string(got) != "first" || ginfo.Tag != info.Tag {
		t.Errorf("%q, %+v; Create said %+v", got, ginfo, info)
	}
	if got := keys(t, st, ""); !slices.Equal(got, []string{"dir/c"}) {
		t.Errorf("List: %v", got)
	}
}

const racers = 24

func createRace(t *testing.T, st objects.Store) {
	for round := range 3 {
		key := fmt.Sprint("race/", round)
		won := race(t, func(data []byte) error {
			_, err := st.Create(t.Context(), key, data)
			return err
		}, fs.ErrExist)
		if got, _ := read(t, st, key); string(got) != won {
			t.Errorf("%q won, %q is there", won, got)
		}
	}
}

func replaceRace(t *testing.T, st objects.Store) {
	info, err := st.Create(t.Context(), "lease", []byte("free"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		won := race(t, func(data []byte) error {
			_, err := st.Replace(t.Context(), "lease", data, info.Tag)
			return err
		}, objects.ErrChanged)
		var got []byte
		if got, info = read(t, st, "lease"); string(got) != won {
			t.Errorf("%q won, %q is there", won, got)
		}
	}
}

// race returns the data of the only writer that may win.
func race(t *testing.T, write func(data []byte) error, lost error) string {
	t.Helper()
	var won atomic.Value
	var winners atomic.Int32
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			data := fmt.Sprintf("writer %d %d", i, rand.Uint64())
			switch err := write([]byte(data)); {
			case err == nil:
				winners.Add(1)
				won.Store(data)
			case !errors.Is(err, lost):
				t.Errorf("a writer that lost: %v", err)
			}
		})
	}
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Fatalf("%d of %d racing writers won", n, racers)
	}
	return won.Load().(string)
}

func replace(t *testing.T, st objects.Store) {
	first, err := st.Create(t.Context(), "lease", []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := st.Replace(t.Context(), "lease", []byte("bb"), first.Tag)
	if err != nil || second.Tag == first.Tag || second.Size != 2 {
		t.Fatal(second, err)
	}
	if _, err := st.Replace(t.Context(), "lease", []byte("c"), first.Tag); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("Replace of an older version: %v", err)
	}
	if got, info := read(t, st, "lease"); string(got) != "bb" || info.Tag != second.Tag {
		t.Errorf("%q, %+v; Replace said %+v", got, info, second)
	}
}

func remove(t *testing.T, st objects.Store) {
	first, err := st.Create(t.Context(), "lease", []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := st.Replace(t.Context(), "lease", []byte("b"), first.Tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Remove(t.Context(), "lease", first.Tag); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("Remove of an older version: %v", err)
	}
	if got, _ := read(t, st, "lease"); string(got) != "b" {
		t.Errorf("%q is there", got)
	}
	if err := st.Remove(t.Context(), "lease", second.Tag); err != nil {
		t.Error(err)
	}
	if err := st.Remove(t.Context(), "lease", second.Tag); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("Remove of an object that is not there: %v", err)
	}
	if got := keys(t, st, ""); len(got) != 0 {
		t.Errorf("List: %v", got)
	}
}

func listOrder(t *testing.T, st objects.Store) {
	all := []string{"a-b", "a.b", "a/b-c", "a/b/c/d", "ab", "b/1", "b/10", "b/2", "z"}
	for i := range all {
		write(t, st, all[len(all)-1-i], []byte(all[len(all)-1-i]))
	}
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "a/b/c/d", "b/1", "c", "b/10/"} {
		var want []string
		for _, k := range all {
			if strings.HasPrefix(k, prefix) {
				want = append(want, k)
			}
		}
		if got := keys(t, st, prefix); !slices.Equal(got, want) {
			t.Errorf("prefix %q: %v, want %v", prefix, got, want)
		}
	}
	for info, err := range st.List(t.Context(), "") {
		if err != nil || info.Key != "a-b" || info.Size != 3 || time.Since(info.ModifiedAt).Abs() > time.Hour {
			t.Errorf("%+v, %v", info, err)
		}
		break
	}
}

// manyKeys is more than a page of a list and a batch of a deletion hold.
const manyKeys = 1203

func listPages(t *testing.T, st objects.Store) {
	var want []string
	for i := range manyKeys {
		want = append(want, fmt.Sprintf("many/%d/%05d", i%3, i))
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < len(want); i += 8 {
				if _, err := st.Create(t.Context(), want[i], []byte{1}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	write(t, st, "other", []byte{1})
	slices.Sort(want)
	if got := keys(t, st, "many/"); !slices.Equal(got, want) {
		t.Fatalf("%d keys are listed, want %d", len(got), len(want))
	}
	if err := st.Delete(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, st, ""); !slices.Equal(got, []string{"other"}) {
		t.Errorf("%d keys are left", len(got))
	}
}

func badKeys(t *testing.T, st objects.Store) {
	for _, key := range []string{"", ".", "/a", "a/", "a//b", "../a", "a/../b", "./a", "x/.a.ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp", strings.Repeat("k", 2000)} {
		if _, err := st.Create(t.Context(), key, []byte("1")); err == nil {
			t.Errorf("Create %q succeeds", key)
		}
		w := st.Writer(t.Context(), key)
		w.Write([]byte("1"))
		if _, err := w.Commit(); err == nil {
			t.Errorf("a Writer of %q succeeds", key)
		}
		w.Abort()
		if err := st.Delete(t.Context(), key); err == nil {
			t.Errorf("Delete %q succeeds", key)
		}
		if _, _, err := st.Get(t.Context(), key); err == nil {
			t.Errorf("Get %q succeeds", key)
		}
	}
}

func check(t *testing.T, st objects.Store) {
	if err := objects.Check(t.Context(), st); err != nil {
		t.Error(err)
	}
	if got := keys(t, st, ""); len(got) != 0 {
		t.Errorf("Check leaves %v", got)
	}
}

func write(t *testing.T, st objects.Store, key string, data []byte) objects.Info {
	t.Helper()
	w := st.Writer(t.Context(), key)
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func read(t *testing.T, st objects.Store, key string) ([]byte, objects.Info) {
	t.Helper()
	data, info, err := st.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return data, info
}

func keys(t *testing.T, st objects.Store, prefix string) []string {
	t.Helper()
	var all []string
	for info, err := range st.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Key)
	}
	return all
}

// random returns n bytes that no compression makes smaller.
func random(n int) []byte {
	p := make([]byte, n)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rand.Uint32())
	}
	rand.NewChaCha8(seed).Read(p)
	return p
}
