package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

// certificate writes a self-signed certificate for 127.0.0.1 and its key.
func certificate(t *testing.T, server *postgrestest.Server) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dewpoint test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der2, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(server.Dir, "server.crt"), filepath.Join(server.Dir, "server.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: der2}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := server.Give(path); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestConnections connects as libpq does: with passwords from the URL, the
// environment, a file and a service, and by TLS.
func TestConnections(t *testing.T) {
	server := ownServer(t)
	cert, key := certificate(t, server)
	hba := "hostssl all narrow 127.0.0.1/32 scram-sha-256\nhostnossl all narrow 127.0.0.1/32 reject\nhost all postgres 127.0.0.1/32 trust\n"
	if err := os.WriteFile(filepath.Join(server.Dir, "data", "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"CREATE ROLE narrow LOGIN PASSWORD 's3cr3t p@ss'", "GRANT CREATE ON DATABASE postgres TO narrow",
		fmt.Sprintf("ALTER SYSTEM SET ssl_cert_file = '%s'", cert), fmt.Sprintf("ALTER SYSTEM SET ssl_key_file = '%s'", key), "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()",
	} {
		if err := server.Exec(t.Context(), "postgres", q); err != nil {
			t.Fatal(err)
		}
	}
	passfile, service := filepath.Join(t.TempDir(), "pgpass"), filepath.Join(t.TempDir(), "services")
	files := map[string]string{
		passfile: fmt.Sprintf("127.0.0.1:%d:*:narrow:s3cr3t p@ss\n", server.Port),
		service:  fmt.Sprintf("[estate]\nhost=127.0.0.1\nport=%d\nuser=narrow\ndbname=postgres\nsslmode=require\n", server.Port),
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := fmt.Sprintf("@127.0.0.1:%d/postgres", server.Port)
	root := "?sslmode=verify-full&sslrootcert=" + cert
	for _, c := range []struct {
		name, url string
		env       map[string]string
		fails     string
	}{
		{"password in the URL", "postgres://narrow:s3cr3t%20p%40ss" + at + root, nil, ""},
		{"PGPASSWORD", "postgres://narrow" + at + root, map[string]string{"PGPASSWORD": "s3cr3t p@ss"}, ""},
		{"PGPASSFILE", "postgres://narrow" + at + "?sslmode=require", map[string]string{"PGPASSFILE": passfile}, ""},
		{"a service", "postgres:///?service=estate", map[string]string{"PGSERVICEFILE": service, "PGPASSFILE": passfile}, ""},
		{"all from the environment", "postgres:///postgres", map[string]string{
			"PGHOST": "127.0.0.1", "PGPORT": fmt.Sprint(server.Port), "PGUSER": "narrow", "PGPASSWORD": "s3cr3t p@ss", "PGSSLMODE": "verify-ca", "PGSSLROOTCERT": cert,
		}, ""},
		{"a wrong password", "postgres://narrow:s3cr3t" + at + root, nil, "password authentication failed"},
		{"no TLS", "postgres://narrow:s3cr3t%20p%40ss" + at + "?sslmode=disable", nil, "rejects connection"},
		{"an unknown authority", "postgres://narrow:s3cr3t%20p%40ss" + at + "?sslmode=verify-full", nil, "certificate"},
		{"another name", strings.Replace("postgres://narrow:s3cr3t%20p%40ss"+at+root, "127.0.0.1", "localhost", 1), nil, "certificate"},
		{"nobody there", "postgres://narrow:s3cr3t%20p%40ss@127.0.0.1:1/postgres", nil, "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			_, err := syncRows(t.Context(), newSink(t, c.url), synthetic(), 10)
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("got %v, want %q", err, c.fails)
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%v tells the password", err)
			}
		})
	}
}
