// Package icebergtest runs a REST catalog of Iceberg and a reader that is not
// ours.
package icebergtest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Versions of what .ci/servers installs.
const (
	catalogVersion = "1.10.1"
	readerVersion  = "0.12.0"
)

// StartCatalog runs the REST catalog of Iceberg's own tests until the test
// ends and returns its address.
func StartCatalog(t *testing.T) string {
	t.Helper()
	jars := cached(t, "iceberg-rest-"+catalogVersion)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("java", "-Xmx256m", "-cp", jars+"/*", "org.apache.iceberg.rest.RESTCatalogServer")
	cmd.Env = append(os.Environ(), "CATALOG_REST_PORT="+port, "CATALOG_CATALOG__IMPL=org.apache.iceberg.jdbc.JdbcCatalog",
		"CATALOG_URI=jdbc:sqlite:file:"+filepath.Join(dir, "catalog.db"), "CATALOG_WAREHOUSE=file://"+dir,
		"CATALOG_IO__IMPL=org.apache.iceberg.inmemory.InMemoryFileIO")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run make servers", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("the catalog: %s", text[max(0, len(text)-3000):])
		}
	})
	address := "http://127.0.0.1:" + port
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if resp, err := http.Get(address + "/v1/config"); err == nil {
			resp.Body.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatal("the catalog does not answer")
		}
	}
}

// cached is the path of a folder under .cache of the repository.
func cached(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "1" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, ".cache", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make servers", err)
	}
	return path
}

// Shown is what PyIceberg sees of a table.
type Shown struct {
	Columns []string           `json:"columns"`
	Rows    []map[string]any   `json:"rows"`
	Past    [][]map[string]any `json:"past"` // rows at each snapshot, oldest first
	Syncs   []string           `json:"syncs"`
	Docs    map[string]string  `json:"docs"`
	Props   map[string]string  `json:"props"`
}

const readScript = `
import sys, json
from pyiceberg.catalog.rest import RestCatalog
def show(address, namespace, name, props):
    t = RestCatalog("r", uri=address, **props).load_table((namespace, name))
    def rows(s):
        return json.loads(json.dumps(t.scan(snapshot_id=s).to_arrow().to_pylist(), default=str)) if s else []
    s = t.current_snapshot()
    snaps = sorted(t.snapshots(), key=lambda s: s.sequence_number)
    return {
        "columns": [f"{f.name} {f.field_type}" for f in t.schema().fields], "docs": {f.name: f.doc or "" for f in t.schema().fields},
        "rows": rows(s and s.snapshot_id), "past": [rows(x.snapshot_id) for x in snaps],
        "syncs": [x.summary["dewpoint.sync-id"] for x in snaps], "props": t.properties}
for line in sys.stdin:
    print(json.dumps(show(*json.loads(line))), flush=True)
`

// Reader is a running PyIceberg.
type Reader struct {
	t   *testing.T
	in  *json.Encoder
	out *json.Decoder
}

func StartReader(t *testing.T) *Reader {
	t.Helper()
	cmd := exec.Command(filepath.Join(cached(t, "pyiceberg-"+readerVersion), "bin", "python"), "-W", "ignore", "-c", readScript)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("pyiceberg: %v: %s", err, stderr.String())
		}
	})
	return &Reader{t: t, in: json.NewEncoder(in), out: json.NewDecoder(out)}
}

// Show reads a table.
func (r *Reader) Show(address, namespace, name string, props map[string]string) Shown {
	r.t.Helper()
	var s Shown
	err := r.in.Encode([]any{address, namespace, name, props})
	if err == nil {
		err = r.out.Decode(&s)
	}
	if err != nil {
		r.t.Fatalf("read %s: %v", name, err)
	}
	return s
}

// IDs are the values of id in rows, as a text.
func IDs(rows []map[string]any) string {
	var all []string
	for _, r := range rows {
		all = append(all, fmt.Sprint(r["id"]))
	}
	return strings.Join(all, " ")
}
