package objectstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Versions of the servers, as .ci/servers installs them.
const (
	versitygwVersion = "v1.8.0"
	fakeGCSVersion   = "v1.56.1"
)

// S3 is a running S3 server with one bucket.
type S3 struct {
	Endpoint string // http://127.0.0.1:PORT
	Bucket   string
	Region   string
	// Dir is where the server keeps the bucket.
	Dir string

	prefixes atomic.Int64
}

// The credentials of every server that StartS3 starts.
const (
	AccessKey = "dewpoint-test"
	SecretKey = "s3cr3t-p@ss/word"
)

// StartS3 starts versitygw until the test ends and sets the environment's AWS
// credentials and region to its own.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	bin := binary(t, "versitygw", versitygwVersion)
	dir, err := os.MkdirTemp("", "dewpoint-s3-")
	if err != nil {
		t.Fatal(err)
	}
	s := &S3{Bucket: "estate-bucket", Region: "eu-central-1", Dir: filepath.Join(dir, "estate-bucket")}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	addr := freeAddress(t)
	cmd := exec.Command(bin, "--port", addr, "--region", s.Region, "--health", "/health", "--quiet", "posix", dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	s.Endpoint = "http://" + addr
	start(t, cmd, s.Endpoint+"/health", dir)
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey, "AWS_SESSION_TOKEN": "", "AWS_REGION": s.Region,
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
	} {
		t.Setenv(k, v)
	}
	return s
}

// URL returns the URL of a prefix that nothing else uses.
func (s *S3) URL() string { return s.Through(s.Endpoint) }

// Through returns the URL of a prefix of its own behind another endpoint.
func (s *S3) Through(endpoint string) string {
	return fmt.Sprintf("s3://%s/prefix-%d/estate?endpoint=%s", s.Bucket, s.prefixes.Add(1), endpoint)
}

// Uploads returns the number of multipart uploads that are neither completed
// nor aborted.
func (s *S3) Uploads(t testing.TB) int {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(s.Dir, ".sgwtmp", "multipart", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// GCS is a running server of Google Cloud Storage's JSON API with one bucket.
type GCS struct {
	Endpoint string // http://127.0.0.1:PORT
	Bucket   string

	prefixes atomic.Int64
}

// StartGCS starts fake-gcs-server until the test ends.
func StartGCS(t testing.TB) *GCS {
	t.Helper()
	bin := binary(t, "fake-gcs-server", fakeGCSVersion)
	addr := freeAddress(t)
	host, port, _ := net.SplitHostPort(addr)
	dir, err := os.MkdirTemp("", "dewpoint-gcs-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-backend", "memory", "-scheme", "http", "-host", host, "-port", port,
		"-external-url", "http://"+addr, "-public-host", addr, "-log-level", "error")
	g := &GCS{Endpoint: "http://" + addr, Bucket: "estate-bucket"}
	start(t, cmd, g.Endpoint+"/_internal/healthcheck", dir)
	body, _ := json.Marshal(map[string]string{"name": g.Bucket})
	resp, err := http.Post(g.Endpoint+"/storage/v1/b?project=test", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("create a bucket: %s: %s", resp.Status, text)
	}
	return g
}

// URL returns the URL of a prefix that nothing else uses.
func (g *GCS) URL() string { return g.Through(g.Endpoint) }

// Through returns the URL of a prefix of its own behind another endpoint.
func (g *GCS) Through(endpoint string) string {
	return fmt.Sprintf("gs://%s/prefix-%d/estate?endpoint=%s", g.Bucket, g.prefixes.Add(1), endpoint)
}

// binary returns the path of a server under .cache of the repository.
func binary(t testing.TB, name, version string) string {
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
	path := filepath.Join(dir, ".cache", name+"-"+version, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make servers", err)
	}
	return path
}

// start runs a server until the test ends, waits until it answers, and removes
// dir after it.
func start(t testing.TB, cmd *exec.Cmd, health, dir string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(cmd.Path)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		log.Close()
		if t.Failed() {
			if text, err := os.ReadFile(log.Name()); err == nil && len(text) > 0 {
				t.Logf("%s:\n%s", filepath.Base(cmd.Path), text[max(0, len(text)-4000):])
			}
		}
		os.RemoveAll(dir)
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("%s ended: %s", filepath.Base(cmd.Path), text)
		default:
		}
		resp, err := http.Get(health)
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", filepath.Base(cmd.Path), err)
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
