package snowflake

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks"
)

func TestURLIsShownWithoutSecrets(t *testing.T) {
	s, err := Open(context.Background(), "snowflake://me:top%40secret@org-account/INVENTORY/ESTATE?warehouse=wh&role=r&passcode=123456", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.URL(); got != "snowflake://me@org-account/INVENTORY/ESTATE" {
		t.Errorf("the URL is shown as %s", got)
	}
	d := s.cfg.driver
	if d.User != "me" || d.Password != "top@secret" || d.Warehouse != "wh" || d.Role != "r" || d.Database != "INVENTORY" || d.Schema != "ESTATE" {
		t.Errorf("the driver has user %s, warehouse %s, role %s, database %s, schema %s", d.User, d.Warehouse, d.Role, d.Database, d.Schema)
	}
	if got := s.clean(errors.New("login with top@secret failed")).Error(); strings.Contains(got, "top@secret") {
		t.Errorf("an error says %s", got)
	}
}

func TestWrongURLs(t *testing.T) {
	for url, want := range map[string]string{
		"snowflake://me:hidden@account/DB":                                              "must name an account, a database and a schema",
		"snowflake:///DB/S":                                                             "must name an account",
		"snowflake://me:hid den@account/DB/S\x7f":                                       "cannot be read",
		"postgres://me:hidden@host/db":                                                  "no snowflake:// URL",
		"snowflake://me:hidden@account/DB/S?loginTimeout=never":                         "",
		"snowflake://me@account/DB/S?authenticator=SNOWFLAKE_JWT":                       "needs a private key",
		"snowflake://me@account/DB/S?authenticator=SNOWFLAKE_JWT&private_key_file=none": "read the private key",
		"snowflake://me@account/DB/S?authenticator=OAUTH&token_file=none":               "read the token",
	} {
		_, err := Open(context.Background(), url, Options{})
		var wrong *sinks.URLError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hid") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func TestKeyPairAndTokenAreSent(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keyFile, tokenFile := filepath.Join(dir, "key.p8"), filepath.Join(dir, "token")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tokenFile, []byte("the-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for params, want := range map[string]string{
		"&authenticator=SNOWFLAKE_JWT&private_key_file=" + keyFile: `"AUTHENTICATOR":"SNOWFLAKE_JWT"`,
		"&authenticator=OAUTH&token_file=" + tokenFile:             `"TOKEN":"the-token"`,
	} {
		s, w := openWire(t, server(t).NewSchema()+params+"&warehouse=wh&role=writer", Options{})
		c, err := s.connect(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		c.close()
		login := strings.ReplaceAll(strings.Join(w.logins, ""), " ", "")
		if !strings.Contains(login, want) || strings.Contains(login, "secret") {
			t.Errorf("with %s the login is %s", params, login)
		}
		if !strings.Contains(login, `"CLIENT_TELEMETRY_ENABLED":"false"`) && !strings.Contains(login, `"CLIENT_TELEMETRY_ENABLED":false`) {
			t.Errorf("the login does not turn telemetry off: %s", login)
		}
	}
}
