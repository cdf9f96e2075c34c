package extract

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// TapeKey identifies a call on a tape.
type TapeKey struct {
	Account, Region, Service, Operation string
	// Input is the call's input as JSON with sorted keys.
	Input string
}

// String names the call for people.
func (k TapeKey) String() string {
	in := k.Input
	if len(in) > 200 {
		in = in[:200] + "..."
	}
	return fmt.Sprintf("%s %s %s in %s/%s", k.Service, k.Operation, in, k.Account, k.Region)
}

// Exchange is a recorded answer: what the caller got in the end, after
// retries, redacted.
type Exchange struct {
	Status int
	Header map[string]string
	Body   []byte
}

// Recorder keeps answers. Its methods are safe for concurrent use.
type Recorder interface {
	// Record keeps the answer to a call, in place of an earlier one.
	Record(TapeKey, Exchange) error
	// Account notes an account whose calls are recorded.
	Account(TapeAccount) error
}

// Player gives recorded answers. Its methods are safe for concurrent use.
type Player interface {
	// Play returns the answer to a call, or a *MissingError.
	Play(TapeKey) (Exchange, error)
	// Accounts are the accounts that were recorded, sorted.
	Accounts() []TapeAccount
}

// TapeAccount is an account, a project or a cluster on a tape.
type TapeAccount struct {
	Cloud     string `json:"cloud"`
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	Partition string `json:"partition,omitempty"`
	// Number is a Google project's.
	Number string `json:"number,omitempty"`
	// Region is where calls that belong to no region are made.
	Region string `json:"region,omitempty"`
}

// MissingError says that a tape has no answer to a call.
type MissingError struct {
	Key TapeKey
	Dir string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("recording %s has no answer to %s", e.Dir, e.Key)
}

const (
	tapeVersion  = 1
	tapeManifest = "tape.json"
	tapeSuffix   = ".jsonl"
)

// manifest is the content of tape.json.
type manifest struct {
	Version    int           `json:"version"`
	RecordedAt time.Time     `json:"recorded_at"`
	Dewpoint   string        `json:"dewpoint"`
	Accounts   []TapeAccount `json:"accounts"`
}

// line is an exchange in a file. The body is Text where it is UTF-8.
type line struct {
	Operation string            `json:"operation"`
	Input     json.RawMessage   `json:"input"`
	Status    int               `json:"status"`
	Header    map[string]string `json:"header,omitempty"`
	Text      string            `json:"text,omitempty"`
	Base64    string            `json:"base64,omitempty"`
}

// DirRecorder is a Recorder that writes DIR/tape.json and, for every account,
// region and service, DIR/<account>/<region>/<service>.jsonl with an exchange
// a line. Lines are appended as they come; Close sorts them, so that two
// recordings of the same estate differ only where it does. What was written
// before a crash can be played.
type DirRecorder struct {
	dir   string
	mu    sync.Mutex
	man   manifest
	files map[string]*os.File
	err   error
}

// OpenRecorder returns a recorder into dir, which must be empty or absent.
// version is dewpoint's.
func OpenRecorder(dir, version string) (*DirRecorder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("record: %s is not empty: give a new directory", dir)
	}
	r := &DirRecorder{
		dir:   dir,
		man:   manifest{Version: tapeVersion, RecordedAt: time.Now().UTC().Truncate(time.Second), Dewpoint: version, Accounts: []TapeAccount{}},
		files: map[string]*os.File{},
	}
	return r, r.writeManifest()
}

// Account implements Recorder.
func (r *DirRecorder) Account(a TapeAccount) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, found := slices.BinarySearchFunc(r.man.Accounts, a, compareAccounts)
	if found {
		r.man.Accounts[i] = a
	} else {
		r.man.Accounts = slices.Insert(r.man.Accounts, i, a)
	}
	return r.writeManifest()
}

func compareAccounts(a, b TapeAccount) int {
	return cmp.Or(strings.Compare(a.Cloud, b.Cloud), strings.Compare(a.ID, b.ID))
}

func (r *DirRecorder) writeManifest() error {
	b, err := json.MarshalIndent(r.man, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(r.dir, tapeManifest), append(b, '\n'))
}

// Record implements Recorder.
func (r *DirRecorder) Record(k TapeKey, x Exchange) error {
	name, err := tapeFile(k)
	if err != nil {
		return err
	}
	l := line{Operation: k.Operation, Input: json.RawMessage(k.Input), Status: x.Status, Header: x.Header}
	if utf8.Valid(x.Body) {
		l.Text = string(x.Body)
	} else {
		l.Base64 = base64.StdEncoding.EncodeToString(x.Body)
	}
	b, err := encodeLine(l)
	if err != nil {
		return fmt.Errorf("record %s: %w", k, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	f := r.files[name]
	if f == nil {
		path := filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640); err != nil {
			return fmt.Errorf("record: %w", err)
		}
		r.files[name] = f
	}
	if _, err := f.Write(b); err != nil {
		r.err = fmt.Errorf("record: %w", err)
	}
	return r.err
}

// Close sorts the files and closes the recorder. Of several answers to one
// call the last is kept.
func (r *DirRecorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := []error{r.err}
	for _, name := range slices.Sorted(maps.Keys(r.files)) {
		errs = append(errs, r.files[name].Close())
		lines, err := readLines(filepath.Join(r.dir, name))
		if err == nil {
			err = writeLines(filepath.Join(r.dir, name), lines)
		}
		errs = append(errs, err)
	}
	r.files = nil
	r.err = errors.New("record: the recorder is closed")
	return errors.Join(errs...)
}

func writeLines(path string, lines []line) error {
	last := map[string]line{}
	for _, l := range lines {
		last[l.Operation+" "+string(l.Input)] = l
	}
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(last)) {
		e, err := encodeLine(last[k])
		if err != nil {
			return err
		}
		b.Write(e)
	}
	return replaceFile(path, b.Bytes())
}

func encodeLine(l line) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(l)
	return b.Bytes(), err
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tape-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o640), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// tapeFile is the file of a call within the directory.
func tapeFile(k TapeKey) (string, error) {
	for _, s := range []string{k.Account, k.Region, k.Service} {
		if s == "" || s[0] == '.' || strings.ContainsAny(s, `/\:`) {
			return "", fmt.Errorf("record %s: %q cannot be the name of a file", k, s)
		}
	}
	return filepath.Join(k.Account, k.Region, k.Service+tapeSuffix), nil
}

// readLines reads a file of exchanges. A last line that a crash cut off is
// left out.
func readLines(path string) ([]line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []line
	r := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		lines = append(lines, l)
	}
}

// DirPlayer is a Player over what a DirRecorder wrote. A file is read when
// the first of its calls is made and kept.
type DirPlayer struct {
	dir   string
	man   manifest
	mu    sync.Mutex
	files map[string]*tape
}

type tape struct {
	once  sync.Once
	lines map[string]line
	err   error
}

// OpenPlayer opens a recording.
func OpenPlayer(dir string) (*DirPlayer, error) {
	b, err := os.ReadFile(filepath.Join(dir, tapeManifest))
	if err != nil {
		return nil, fmt.Errorf("replay: %s is not a recording: %w", dir, err)
	}
	p := &DirPlayer{dir: dir, files: map[string]*tape{}}
	if err := json.Unmarshal(b, &p.man); err != nil {
		return nil, fmt.Errorf("replay: %s: %w", filepath.Join(dir, tapeManifest), err)
	}
	if p.man.Version != tapeVersion {
		return nil, fmt.Errorf("replay: %s has version %d, this dewpoint reads version %d", dir, p.man.Version, tapeVersion)
	}
	return p, nil
}

// Accounts implements Player.
func (p *DirPlayer) Accounts() []TapeAccount { return slices.Clone(p.man.Accounts) }

// RecordedAt is when the recording was begun.
func (p *DirPlayer) RecordedAt() time.Time { return p.man.RecordedAt }

// Play implements Player.
func (p *DirPlayer) Play(k TapeKey) (Exchange, error) {
	name, err := tapeFile(k)
	if err != nil {
		return Exchange{}, err
	}
	p.mu.Lock()
	t := p.files[name]
	if t == nil {
		t = &tape{}
		p.files[name] = t
	}
	p.mu.Unlock()
	t.once.Do(func() { t.lines, t.err = loadTape(filepath.Join(p.dir, name)) })
	if t.err != nil {
		return Exchange{}, fmt.Errorf("replay: %w", t.err)
	}
	l, ok := t.lines[k.Operation+" "+k.Input]
	if !ok {
		return Exchange{}, &MissingError{Key: k, Dir: p.dir}
	}
	x := Exchange{Status: l.Status, Header: l.Header, Body: []byte(l.Text)}
	if l.Base64 != "" {
		if x.Body, err = base64.StdEncoding.DecodeString(l.Base64); err != nil {
			return Exchange{}, fmt.Errorf("replay %s: %w", k, err)
		}
	}
	return x, nil
}

func loadTape(path string) (map[string]line, error) {
	lines, err := readLines(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := make(map[string]line, len(lines))
	for _, l := range lines {
		m[l.Operation+" "+string(l.Input)] = l
	}
	return m, nil
}
