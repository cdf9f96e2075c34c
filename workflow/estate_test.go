package workflow_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	awscatalog "github.com/dewpoint-data/dewpoint/extract/aws/catalog"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

// The accounts and regions of the tests.
const (
	accountA = "111111111111"
	accountB = "222222222222"
	east     = "us-east-1"
	west     = "eu-west-1"
	south    = "ap-southeast-2"
)

var (
	anywhere = awsfake.Place{}
	born     = time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)
)

// kinds loads AWS's catalogue once.
var kinds = sync.OnceValues(func() (*catalog.Catalogue, error) {
	return catalog.Load([]catalog.Vendor{awscatalog.Vendor()}, catalog.Options{})
})

// estate is an AWS and the file that it is synced to. What the fields say may
// be changed between two syncs.
type estate struct {
	*awsfake.Server
	t        *testing.T
	path     string
	kinds    []string
	accounts []aws.AccountConfig
	regions  []string
	client   aws.Options
	workers  int
	scope    time.Duration               // scope_timeout
	wrap     func(sinks.Sink) sinks.Sink // what is synced into instead of the file
	progress *workflow.Progress
	stop     context.Context // ends the commit as well; nil is never

	sinks  []string // URLs to sync to instead of the file
	failed []string // sinks of the last sync that failed, as SinkFailed has it
}

// newEstate starts an AWS with the accounts A and B, in two regions unless
// the options say others, read by the account A.
func newEstate(t *testing.T, o awsfake.Options, kinds ...string) *estate {
	t.Helper()
	if o.Accounts == nil {
		o.Accounts = []awsfake.Account{{ID: accountA, Name: "a"}, {ID: accountB, Name: "b"}}
	}
	if o.Regions == nil {
		o.Regions = []awsfake.Region{{Name: east}, {Name: west}}
	}
	s := awsfake.New(o)
	t.Cleanup(s.Close)
	dir := t.TempDir()
	credentials(t, dir, s.URL, o.Accounts)
	return &estate{
		Server: s, t: t, path: filepath.Join(dir, "estate.duckdb"), kinds: kinds,
		accounts: []aws.AccountConfig{{Profile: "a"}},
		client:   aws.Options{MaxAttempts: 3, MaxBackoff: time.Millisecond, AttemptTimeout: 10 * time.Second},
		workers:  16,
	}
}

// credentials leaves the test with a profile for each account, by its name,
// and with no other way into any.
func credentials(t *testing.T, dir, url string, accounts []awsfake.Account) {
	t.Helper()
	var config strings.Builder
	for _, a := range accounts {
		fmt.Fprintf(&config, "[profile %s]\nregion = %s\naws_access_key_id = AKIA%s\naws_secret_access_key = secret\n", a.Name, east, a.ID)
	}
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "none"), "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": url, "AWS_REGION": east, "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(k, v)
	}
}

// attempt syncs and returns what Sync does.
func (e *estate) attempt(ctx context.Context) (*workflow.Report, error) {
	cat, err := kinds()
	if err != nil {
		return nil, err
	}
	entries, err := cat.Select(e.kinds, nil)
	if err != nil {
		return nil, err
	}
	o := e.client
	o.Limiter = extract.NewLimiter()
	client, err := aws.NewClient(ctx, o)
	if err != nil {
		return nil, err
	}
	src, err := aws.NewSource(aws.SourceConfig{
		Client: client, Accounts: e.accounts, Regions: e.regions, Catalogue: cat, Entries: entries, ScopeTimeout: e.scope,
	})
	if err != nil {
		return nil, err
	}
	defer src.Close()
	c := workflow.DefaultConfig()
	c.LockTimeout = 0
	if c.Sinks = e.sinks; c.Sinks == nil {
		c.Sinks = []string{"duckdb:" + e.path}
	}
	open, unopened, err := workflow.OpenSinks(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := workflow.CloseSinks(open); err != nil {
			e.t.Error(err)
		}
	}()
	if e.wrap != nil {
		open[0] = e.wrap(open[0])
	}
	stop := e.stop
	if stop == nil {
		stop = context.WithoutCancel(ctx)
	}
	e.failed = nil
	var mu sync.Mutex
	return workflow.Sync(ctx, stop, workflow.Options{
		Sources: []extract.Source{src}, Sinks: open, Unopened: unopened, Version: "test", Workers: e.workers, Progress: e.progress,
		SinkFailed: func(url string, err error) {
			mu.Lock()
			defer mu.Unlock()
			e.failed = append(e.failed, url)
		},
	})
}

// sync syncs; it must be stored, if not complete.
func (e *estate) sync() *workflow.Report {
	e.t.Helper()
	r, err := e.attempt(e.t.Context())
	if err != nil {
		e.t.Fatalf("sync: %v", err)
	}
	return r
}

// complete syncs and must find nothing amiss.
func (e *estate) complete() *workflow.Report {
	e.t.Helper()
	r := e.sync()
	if !r.Complete() {
		e.t.Fatalf("the sync is not complete: %+v", r.Incomplete)
	}
	if len(r.Problems) > 0 {
		e.t.Fatalf("the sync has problems: %+v", r.Problems)
	}
	if b := e.Broken(); len(b) > 0 {
		e.t.Fatalf("requests were wrong: %s", strings.Join(b, "\n"))
	}
	return r
}

// rows are the rows of a query in its order, their values as text with spaces
// between them.
func (e *estate) rows(query string) []string {
	e.t.Helper()
	db, err := duckdb.OpenReader(e.t.Context(), e.path)
	if err != nil {
		e.t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	out, err := texts(e.t.Context(), db, query)
	if err != nil {
		e.t.Fatalf("%s: %v", query, err)
	}
	return out
}

func texts(ctx context.Context, db *sql.DB, query string) ([]string, error) {
	if _, err := db.ExecContext(ctx, "SET TimeZone = 'UTC'"); err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT COLUMNS(*)::VARCHAR FROM ("+query+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	out := []string{}
	for rows.Next() {
		values, at := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			values[i].String, at[i] = "NULL", &values[i]
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		parts := make([]string, len(names))
		for i, v := range values {
			if parts[i] = v.String; !v.Valid {
				parts[i] = "NULL"
			}
		}
		out = append(out, strings.Join(parts, " "))
	}
	return out, rows.Err()
}

// want compares the rows of a query, in any order, with lines.
func (e *estate) want(query string, lines ...string) {
	e.t.Helper()
	missing, extra := difference(slices.Clone(lines), e.rows(query))
	if len(missing)+len(extra) > 0 {
		e.t.Errorf("%s\nlacks\n\t%s\nhas besides\n\t%s", query, strings.Join(missing, "\n\t"), strings.Join(extra, "\n\t"))
	}
}

// difference returns what is in one list and not in the other, as often as it
// is there more often. It sorts the lists.
func difference(a, b []string) (onlyA, onlyB []string) {
	slices.Sort(a)
	slices.Sort(b)
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			onlyA, a = append(onlyA, a[0]), a[1:]
		case len(a) == 0 || b[0] < a[0]:
			onlyB, b = append(onlyB, b[0]), b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return onlyA, onlyB
}

// incomplete compares the report's incomplete scopes with lines of account,
// region, kind, state and code.
func (e *estate) incomplete(r *workflow.Report, lines ...string) {
	e.t.Helper()
	got := []string{}
	for _, s := range r.Incomplete {
		got = append(got, strings.TrimSpace(fmt.Sprint(s.Scope.Account, " ", s.Scope.Region, " ", s.Scope.Kind, " ", s.State, " ", s.Code)))
	}
	missing, extra := difference(lines, got)
	if len(missing)+len(extra) > 0 {
		e.t.Errorf("incomplete are not\n\t%s\nbut\n\t%s", strings.Join(missing, "\n\t"), strings.Join(extra, "\n\t"))
	}
}

// whole asserts what holds of every file after every sync.
func (e *estate) whole() {
	e.t.Helper()
	e.want("SELECT kind, _id FROM resources GROUP BY ALL HAVING count(*) > 1")
	e.want("SELECT * FROM edges WHERE from_id NOT IN (SELECT _id FROM resources)")
	e.want("SELECT * FROM edges WHERE to_id NOT IN (SELECT _id FROM resources)")
	for _, k := range e.rows("SELECT DISTINCT kind FROM resources") {
		e.want(fmt.Sprintf("(SELECT _id, _hash, _scope FROM %s EXCEPT ALL SELECT _id, _hash, _scope FROM resources WHERE kind = '%s') UNION ALL "+
			"(SELECT _id, _hash, _scope FROM resources WHERE kind = '%s' EXCEPT ALL SELECT _id, _hash, _scope FROM %s)", k, k, k, k))
	}
}

type item = map[string]any

// tags are tags as most services list them.
func tags(owner string) []any {
	return []any{item{"Key": "owner", "Value": owner}}
}

func vpc(id, owner string) item {
	return item{"VpcId": id, "CidrBlock": "10.0.0.0/16", "State": "available", "OwnerId": owner}
}

func volume(id string, size int) item {
	return item{"VolumeId": id, "Size": size, "VolumeType": "gp3", "State": "available", "CreateTime": born, "Tags": tags("ann")}
}

// answer answers a call everywhere.
func (e *estate) answer(op string, out item) {
	e.Handle(anywhere, op, func(*awsfake.Request) (map[string]any, error) { return out, nil })
}

// refuse answers a call everywhere with an error.
func (e *estate) refuse(op, code string, status int) {
	e.Handle(anywhere, op, func(*awsfake.Request) (map[string]any, error) {
		return nil, &awsfake.Error{Code: code, Message: "refused", Status: status}
	})
}

// at is a place.
func at(account, region string) awsfake.Place { return awsfake.Place{Account: account, Region: region} }
