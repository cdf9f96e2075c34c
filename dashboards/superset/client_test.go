package superset_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/dashboards/superset"
)

// TestImport holds the calls that an import makes, and that a password goes
// apart from the bundle.
func TestImport(t *testing.T) {
	var bundle []byte
	var passwords string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/security/login", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Username, Password, Provider string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Password != "secret" || body.Provider != "db" {
			http.Error(w, `{"message":"Not authorized"}`, http.StatusUnauthorized)
			return
		}
		io.WriteString(w, `{"access_token": "token"}`)
	})
	mux.HandleFunc("GET /api/v1/security/csrf_token/", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "one", Path: "/"})
		io.WriteString(w, `{"result": "csrf"}`)
	})
	mux.HandleFunc("POST /api/v1/assets/import/", func(w http.ResponseWriter, r *http.Request) {
		session, err := r.Cookie("session")
		if err != nil || session.Value != "one" || r.Header.Get("X-CSRFToken") != "csrf" || r.Header.Get("Authorization") != "Bearer token" {
			http.Error(w, "the CSRF session token is missing", http.StatusBadRequest)
			return
		}
		f, _, err := r.FormFile("bundle")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		bundle, _ = io.ReadAll(f)
		passwords = r.FormValue("passwords")
		io.WriteString(w, `{"message": "OK"}`)
	})
	s := httptest.NewServer(mux)
	defer s.Close()

	server := superset.Server{URL: s.URL + "/", Username: "admin", Password: "secret"}
	o := superset.Options{URI: "postgresql+psycopg2://ann:p%40ss@db:5432/estate", Models: "estate_models"}
	addresses, err := superset.Import(t.Context(), server, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(addresses) != 5 || addresses[0] != s.URL+"/superset/dashboard/dewpoint-overview/" {
		t.Errorf("the dashboards are at %q", addresses)
	}
	if passwords != `{"databases/dewpoint.yaml":"p@ss"}` {
		t.Errorf("the passwords are %s", passwords)
	}
	z, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		f, err := z.Open("dewpoint/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if text := read("databases/dewpoint.yaml"); !strings.Contains(text, "postgresql+psycopg2://ann:XXXXXXXXXX@db:5432/estate") || strings.Contains(text, "p%40ss") {
		t.Errorf("the database is\n%s", text)
	}
	if text := read("datasets/dewpoint/inventory.yaml"); !strings.Contains(text, "FROM estate_models.inventory") || !strings.Contains(text, "schema: estate_models") {
		t.Errorf("the dataset is\n%s", text)
	}

	server.Password = "wrong"
	if _, err := superset.Import(t.Context(), server, o); err == nil || !strings.Contains(err.Error(), "/api/v1/security/login") || !strings.Contains(err.Error(), "401") {
		t.Errorf("a wrong password is answered with %v", err)
	}
}
