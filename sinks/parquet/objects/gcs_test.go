package objects_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
)

func TestGCS(t *testing.T) {
	gcs := objectstest.StartGCS(t)
	objectstest.Run(t, func(t *testing.T) objects.Store { return open(t, gcs.URL()) })
}

// Chunks of uploads are spared, and nothing hangs: fake-gcs-server takes the
// question for what is stored of an upload as its end. TestGCSUploadResumes has
// a server that does not.
func TestGCSFaults(t *testing.T) {
	gcs := objectstest.StartGCS(t)
	chunk := func(r *http.Request) bool { return r.Method == http.MethodPut }
	faults := everyFault()
	delete(faults, "Hang")
	t.Run("EveryThird", func(t *testing.T) { testFaults(t, gcs.Endpoint, gcs.Through, faults, chunk) })
	t.Run("Overload", func(t *testing.T) { testOverload(t, gcs.Endpoint, gcs.Through) })
	t.Run("CorruptUpload", func(t *testing.T) { testCorruptUpload(t, gcs.Endpoint, gcs.Through) })
	t.Run("CancelledUpload", func(t *testing.T) { testCancelledUpload(t, gcs.Endpoint, gcs.Through) })
}

func TestGCSUploadResumes(t *testing.T) {
	for name, fault := range everyFault() {
		for _, keep := range []int64{1, 2} {
			if keep == 2 && fault == objectstest.Hang {
				continue // it takes long and shows nothing more
			}
			t.Run(name, func(t *testing.T) {
				srv := &resumable{t: t, keep: keep}
				upload := httptest.NewServer(srv)
				defer upload.Close()
				f := objectstest.StartFaults(t, upload.URL)
				f.Set(objectstest.EveryThird(fault))
				stall := time.Minute
				if fault == objectstest.Hang {
					stall = time.Second
				}
				st, err := objects.OpenImpatient(t.Context(), "gs://bucket/p?endpoint="+f.Endpoint, 20, stall)
				if err != nil {
					t.Fatal(err)
				}
				data := make([]byte, 37<<20+5)
				_, _ = rand.Read(data)
				w := st.Writer(t.Context(), "kind/part-0.parquet")
				defer w.Abort()
				if _, err := w.Write(data); err != nil {
					t.Fatal(err)
				}
				info, err := w.Commit()
				if err != nil || info.Size != int64(len(data)) {
					t.Errorf("Commit: %+v, %v", info, err)
				}
				if !bytes.Equal(srv.data, data) {
					t.Errorf("%d bytes came as %d others", len(data), len(srv.data))
				}
				if f.Broken.Load() == 0 {
					t.Error("nothing was broken")
				}
			})
		}
	}
}

func TestGCSErrorsSayWhatToDo(t *testing.T) {
	gcs := objectstest.StartGCS(t)
	answers := func(status int, reason, message string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
				"code": status, "message": message, "errors": []any{map[string]any{"reason": reason, "message": message}},
			}})
		}))
		t.Cleanup(srv.Close)
		return "gs://b/p?endpoint=" + srv.URL
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none.json"))
	testErrors(t, map[string]string{
		"gs://b/p":                                                       "no Google credentials were found: run gcloud auth application-default login",
		"gs://b/p?endpoint=http://127.0.0.1:1":                           "connection refused",
		"gs://b/p?endpoint=127.0.0.1:1":                                  "must begin with http",
		"gs://b/p?region=eu":                                             `has no parameter "region"`,
		"gs://u:s3cr3t@b/p":                                              "must not carry credentials",
		answers(401, "authError", "Invalid Credentials"):                 "the credentials are not accepted",
		answers(403, "forbidden", "no storage.objects.create access"):    "no storage.objects.create access: grant roles/storage.objectUser on the bucket b",
		answers(404, "notFound", "The specified bucket does not exist."): "there is no bucket b: create it, or correct the URL",
	})
	st := open(t, "gs://none/p?endpoint="+gcs.Endpoint)
	_, err := st.Create(t.Context(), "manifest", []byte("1"))
	checkError(t, "Create", err, "there is no bucket none")
	for _, err := range st.List(t.Context(), "") {
		checkError(t, "List", err, "there is no bucket none")
	}
}

func TestGCSTakesApplicationDefaultCredentials(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var authorization string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token": "granted", "token_type": "Bearer", "expires_in": 3600}`)
			return
		}
		authorization = r.Header.Get("Authorization")
	}))
	defer srv.Close()
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "p", "private_key_id": "1", "client_email": "dewpoint@p.iam.gserviceaccount.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": srv.URL + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
	client, err := objects.GoogleClient()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(srv.URL + "/o")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if authorization != "Bearer granted" && !strings.HasPrefix(authorization, "Bearer ey") {
		t.Errorf("Authorization: %q", authorization)
	}
}
