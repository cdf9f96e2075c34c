package snowflake

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/snowflakedb/gosnowflake"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// config is what a URL says.
type config struct {
	driver gosnowflake.Config
	// shown is the URL without secrets and parameters.
	shown string
	// stage names the user's stage, empty for the tables' own.
	stage string
}

// The parameters of a URL that are dewpoint's own. All others are the
// driver's, or session parameters of Snowflake's.
const (
	paramStage   = "stage"
	paramKeyFile = "private_key_file"
	paramToken   = "token_file"
)

// parseURL reads snowflake://user[:password]@account/database/schema?parameters.
// Secrets that the URL does not have come from the environment, by the names
// that Snowflake's own clients use.
func parseURL(raw string) (*config, error) {
	bad := func(shown string, err error) error { return &sinks.URLError{URL: shown, Err: err} }
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse has the URL in it.
		return nil, bad("snowflake://", errors.New("the URL cannot be read: write snowflake://USER@ACCOUNT/DATABASE/SCHEMA and escape special characters by %XX"))
	}
	if u.Scheme != "snowflake" {
		return nil, bad(u.Scheme+"://", errors.New("this is no snowflake:// URL"))
	}
	path := strings.Split(strings.Trim(u.Path, "/"), "/")
	user := ""
	if u.User != nil {
		user = u.User.Username()
	}
	c := &config{shown: "snowflake://" + u.Host + "/" + strings.Join(path, "/")}
	if user != "" {
		c.shown = "snowflake://" + url.PathEscape(user) + "@" + u.Host + "/" + strings.Join(path, "/")
	}
	if u.Host == "" || len(path) != 2 || path[0] == "" || path[1] == "" {
		return nil, bad(c.shown, errors.New("the URL must name an account, a database and a schema: snowflake://USER@ACCOUNT/DATABASE/SCHEMA"))
	}
	q := u.Query()
	c.stage = strings.TrimPrefix(q.Get(paramStage), "@")
	keyFile, tokenFile := q.Get(paramKeyFile), q.Get(paramToken)
	for _, own := range []string{paramStage, paramKeyFile, paramToken} {
		q.Del(own)
	}
	authenticator := strings.ToUpper(q.Get("authenticator"))
	password := ""
	if u.User != nil {
		password, _ = u.User.Password()
	}
	if password == "" {
		password = os.Getenv("SNOWFLAKE_PASSWORD")
	}
	if tokenFile == "" {
		tokenFile = os.Getenv("SNOWFLAKE_TOKEN_FILE_PATH")
	}
	if q.Get("token") == "" && authenticator == "OAUTH" && os.Getenv("SNOWFLAKE_TOKEN") != "" {
		q.Set("token", os.Getenv("SNOWFLAKE_TOKEN"))
	}
	if q.Get("token") == "" && tokenFile != "" && authenticator == "OAUTH" {
		b, err := os.ReadFile(tokenFile)
		if err != nil {
			return nil, bad(c.shown, fmt.Errorf("read the token: %w", err))
		}
		q.Set("token", strings.TrimSpace(string(b)))
	}
	var key *rsa.PrivateKey
	if authenticator == "SNOWFLAKE_JWT" && q.Get("privateKey") == "" {
		if key, err = privateKey(keyFile); err != nil {
			return nil, bad(c.shown, err)
		}
		q.Del("authenticator") // the driver wants the key in the same string
	}
	dsn := url.PathEscape(user)
	if authenticator != "OAUTH" && authenticator != "SNOWFLAKE_JWT" {
		dsn += ":" + url.PathEscape(password)
	} else {
		dsn += ":unused" // the driver's reader wants one
	}
	cfg, err := gosnowflake.ParseDSN(dsn + "@" + u.Host + "/" + url.PathEscape(path[0]) + "/" + url.PathEscape(path[1]) + "?" + q.Encode())
	if err != nil {
		return nil, bad(c.shown, fmt.Errorf("%s", redact(err.Error(), password, q.Get("token"), q.Get("privateKey"), q.Get("passcode"))))
	}
	if key != nil {
		cfg.Authenticator, cfg.PrivateKey = gosnowflake.AuthTypeJwt, key
	}
	if authenticator == "OAUTH" || authenticator == "SNOWFLAKE_JWT" {
		cfg.Password = ""
	}
	c.driver = *cfg
	c.setSession()
	return c, nil
}

// setSession fixes what statements depend on. Session parameters cost no
// statement: they go along with the login.
func (c *config) setSession() {
	d := &c.driver
	if d.Params == nil {
		d.Params = map[string]*string{}
	}
	for name, value := range map[string]string{
		"TIMEZONE":                        "UTC",
		"TIMESTAMP_TZ_OUTPUT_FORMAT":      `YYYY-MM-DD"T"HH24:MI:SS.FF6TZH:TZM`,
		"CLIENT_TELEMETRY_ENABLED":        "false",
		"QUOTED_IDENTIFIERS_IGNORE_CASE":  "false",
		"ERROR_ON_NONDETERMINISTIC_MERGE": "true",
	} {
		d.Params[name] = &value
	}
	//lint:ignore SA1019 the session parameter takes effect after the driver has begun to send
	d.DisableTelemetry = true
	if d.Application == "" || d.Application == "Go" {
		d.Application = "dewpoint"
	}
	//lint:ignore SA1019 v1 of the driver has no other way
	if d.Tracing == "" {
		//lint:ignore SA1019 v1 of the driver has no other way
		d.Tracing = "fatal" // errors are returned, and logged by the caller
	}
	//lint:ignore SA1019 v1 of the driver has no other way
	if d.LoginTimeout == 0 {
		//lint:ignore SA1019 v1 of the driver has no other way
		d.LoginTimeout = time.Minute
	}
}

// privateKey reads the key pair's private half: from a file, or from the
// environment as a path or as PEM.
func privateKey(file string) (*rsa.PrivateKey, error) {
	text := os.Getenv("SNOWFLAKE_PRIVATE_KEY_RAW")
	if file == "" {
		file = os.Getenv("SNOWFLAKE_PRIVATE_KEY_PATH")
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the private key: %w", err)
		}
		text = string(b)
	}
	if text == "" {
		return nil, fmt.Errorf("authenticator=SNOWFLAKE_JWT needs a private key: name its file by %s= or SNOWFLAKE_PRIVATE_KEY_PATH", paramKeyFile)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the private key is not PEM")
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, errors.New("the private key is encrypted: decrypt it by openssl pkcs8 -in KEY -out PLAIN, and keep the file to yourself")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the private key is not in PKCS#8: convert it by openssl pkcs8 -topk8 -nocrypt")
	}
	r, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key is not an RSA key, which Snowflake wants")
	}
	return r, nil
}

// redact takes secrets out of a text.
func redact(text string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(strings.ReplaceAll(text, url.QueryEscape(s), "***"), s, "***")
		}
	}
	return text
}
