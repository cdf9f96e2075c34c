package extract

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func record(t *testing.T, dir string, calls map[TapeKey]Exchange) {
	t.Helper()
	r, err := OpenRecorder(dir, "v1")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for k, x := range calls {
		wg.Go(func() {
			if err := r.Record(k, x); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range []string{"2", "1", "2"} {
		if err := r.Account(TapeAccount{Cloud: "aws", ID: id, Name: "n" + id}); err != nil {
			t.Error(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func tapeKey(op, input string) TapeKey {
	return TapeKey{Account: "1", Region: "eu-west-1", Service: "ec2", Operation: op, Input: input}
}

func calls() map[TapeKey]Exchange {
	m := map[TapeKey]Exchange{
		tapeKey("List", `{}`):              {Status: 200, Body: []byte("<a>ü & \"q\"</a>\n")},
		tapeKey("List", `{"Token":"<&>"}`): {Status: 200, Header: map[string]string{"Etag": "e"}, Body: []byte{0xff, 0, 1}},
		tapeKey("Get", `{}`):               {Status: 404},
		{"1", "global", "iam", "L", `{}`}:  {Status: 200, Body: []byte(`{"x":1}`)},
	}
	for i := range 50 {
		m[tapeKey("Many", fmt.Sprintf(`{"i":%d}`, i))] = Exchange{Status: 200, Body: []byte(strings.Repeat("x", i*1000))}
	}
	return m
}

func TestTapePlaysWhatWasRecorded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tape")
	record(t, dir, calls())
	p, err := OpenPlayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range calls() {
		got, err := p.Play(k)
		if err != nil || got.Status != want.Status || string(got.Body) != string(want.Body) || got.Header["Etag"] != want.Header["Etag"] {
			t.Errorf("%s: %+v, %v", k, got, err)
		}
	}
	as := p.Accounts()
	if len(as) != 2 || as[0].ID != "1" || as[1].Name != "n2" || p.RecordedAt().IsZero() {
		t.Errorf("accounts %+v at %s", as, p.RecordedAt())
	}
	_, err = p.Play(tapeKey("List", `{"Token":"other"}`))
	var missing *MissingError
	if !errors.As(err, &missing) || err.Error() != "recording "+dir+` has no answer to ec2 List {"Token":"other"} in 1/eu-west-1` {
		t.Errorf("%v", err)
	}
	if _, err = p.Play(TapeKey{"9", "r", "s", "o", "{}"}); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

func TestTapesOfTheSameCallsAreTheSame(t *testing.T) {
	var contents [2]map[string]string
	for i := range contents {
		dir := filepath.Join(t.TempDir(), "tape")
		record(t, dir, calls())
		contents[i] = map[string]string{}
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "tape.json" {
				return err
			}
			b, err := os.ReadFile(path)
			contents[i][strings.TrimPrefix(path, dir)] = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(contents[0]) != 2 || contents[0]["/1/eu-west-1/ec2.jsonl"] == "" {
		t.Errorf("files %d", len(contents[0]))
	}
	for name, c := range contents[0] {
		if contents[1][name] != c {
			t.Errorf("%s differs", name)
		}
	}
}

func TestTapeOfACrashPlays(t *testing.T) {
	dir := t.TempDir()
	r, err := OpenRecorder(dir, "v1")
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{`{"i":1}`, `{"i":2}`, `{"i":1}`} {
		if err := r.Record(tapeKey("List", in), Exchange{Status: 200, Body: []byte(in)}); err != nil {
			t.Fatal(err)
		}
	}
	// The process dies in the middle of a line.
	f, err := os.OpenFile(filepath.Join(dir, "1", "eu-west-1", "ec2.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"operation":"List","inp`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	p, err := OpenPlayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	if x, err := p.Play(tapeKey("List", `{"i":2}`)); err != nil || string(x.Body) != `{"i":2}` {
		t.Errorf("%s, %v", x.Body, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Record(tapeKey("List", `{}`), Exchange{}); err == nil {
		t.Error("a closed recorder records")
	}
}

func TestRecorderWantsADirectoryOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRecorder(dir, "v1"); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("%v", err)
	}
}

func TestTapeKeysStayInTheDirectory(t *testing.T) {
	r, err := OpenRecorder(t.TempDir(), "v1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, k := range []TapeKey{{"..", "r", "s", "o", "{}"}, {"a/b", "r", "s", "o", "{}"}, {"1", "", "s", "o", "{}"}} {
		if err := r.Record(k, Exchange{}); err == nil {
			t.Errorf("%s was recorded", k)
		}
	}
}

func TestPlayerRefusesWhatIsNoRecording(t *testing.T) {
	if _, err := OpenPlayer(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a recording") {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tape.json"), []byte(`{"version":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPlayer(dir); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("%v", err)
	}
}
