package transform_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
	"github.com/dewpoint-data/dewpoint/sinks/snowflake/snowflaketest"
	"github.com/dewpoint-data/dewpoint/transform"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// python is the Python that has dbt, which make servers installs.
func python(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../.cache/dbt-1.11.16/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make servers", err)
	}
	return path
}

// demo replays the demo estate into a sink.
func demo(t *testing.T, url string) sinks.Modeller {
	t.Helper()
	ctx := t.Context()
	c, err := workflow.LoadConfig("../examples/demo/dewpoint.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Kinds.Only, c.Kinds.Skip = strings.Fields("ec2 autoscaling cloudwatch ecs elbv2 iam kms lambda logs rds route53 s3 sns sqs sts"),
		strings.Fields("aws_ec2_instance_type aws_ec2_reserved_instances aws_ecs_capacity_provider")
	o := workflow.SourceOptions{Replay: "../examples/demo/tape", Version: "test"}
	cat, err := workflow.LoadSelected(c, o)
	if err != nil {
		t.Fatal(err)
	}
	src, err := workflow.OpenSources(ctx, c, cat, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := workflow.OpenSink(ctx, url, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	standing, err := workflow.ModelKinds(cat)
	if err != nil {
		t.Fatal(err)
	}
	_, err = workflow.Sync(ctx, ctx, workflow.Options{Sources: src.Sources, Sinks: []sinks.Sink{s}, Version: "test", Workers: 4, Standing: standing})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := transform.Models(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// databases are URLs of one database of each kind that models are built in.
func databases(t *testing.T) map[string]string {
	t.Helper()
	s, err := postgrestest.Start(postgrestest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return map[string]string{
		"duckdb":   "duckdb:" + filepath.Join(t.TempDir(), "demo.duckdb"),
		"postgres": fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres", s.Port),
	}
}

// byDBT is a sink whose dbt writes to another schema than Run.
type byDBT struct{ sinks.Modeller }

const other = "by_dbt"

func (m byDBT) Environment() []string {
	return append(m.Modeller.Environment(), "DEWPOINT_MODELS="+other)
}

// TestBothWaysGiveEqualTables holds that the models that Run builds are those
// that dbt builds, rows and columns, on the demo estate, and that a second Run
// changes nothing.
func TestBothWaysGiveEqualTables(t *testing.T) {
	prices := transform.WithPrices(priceFile(t))
	for name, url := range databases(t) {
		t.Run(name, func(t *testing.T) {
			m := demo(t, url)
			var out bytes.Buffer
			// Once as the package of another project, which takes the bundled
			// prices alone.
			priced, project, options := 2, "", []transform.Option{prices}
			if name == "duckdb" {
				priced, project, options = 0, dependent(t), nil
			}
			err := transform.RunDBT(t.Context(), byDBT{m}, dbtCommand(t), project, nil, &out, options...)
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			for range 2 {
				if _, err := transform.Run(t.Context(), m, nil, options...); err != nil {
					t.Fatal(err)
				}
			}
			db, err := workflow.OpenReader(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			models, _, err := dbt.Compiled(m.Dialect())
			if err != nil {
				t.Fatal(err)
			}
			// Of the two prices of a gateway there the newer counts; the file has
			// none of volumes.
			var gateways, dear, volumes int
			q := sinks.In(m, `SELECT count(CASE WHEN part = 'hours' AND kind = 'aws_ec2_nat_gateway' AND NOT missing THEN 1 END),
				count(CASE WHEN hourly_usd > 1 THEN 1 END), count(CASE WHEN kind = 'aws_ec2_volume' AND NOT missing THEN 1 END) FROM {models}.resource_costs`)
			if err := db.QueryRowContext(t.Context(), q).Scan(&gateways, &dear, &volumes); err != nil || gateways != priced || dear != 0 || volumes != 0 {
				t.Errorf("%d gateways, %d dear things, %d volumes with a price: %v", gateways, dear, volumes, err)
			}
			if project != "" {
				var n int
				if err := db.QueryRowContext(t.Context(), "SELECT sum(n) FROM "+other+".related").Scan(&n); err != nil || n == 0 {
					t.Errorf("the model of the project that has ours as a package has %d rows: %v", n, err)
				}
			}
			filled := 0
			for _, model := range models {
				if equalRows(t, db, m, model.Name) > 0 {
					filled++
				}
			}
			if filled < len(models)/2 {
				t.Errorf("only %d of %d models have rows: is the estate empty?", filled, len(models))
			}
		})
	}
}

func dbtCommand(t *testing.T) []string {
	return []string{python(t), "-W", "ignore", "-m", "dbt.cli.main"}
}

// dependent is a dbt project that has dewpoint's as a package, installed, and
// a model over its models and sources.
func dependent(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ours, err := filepath.Abs("../dbt")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"dbt_project.yml": "name: dependent\nversion: \"1.0.0\"\nconfig-version: 2\nprofile: dewpoint\nflags: {send_anonymous_usage_stats: false}\n",
		"packages.yml":    "packages:\n  - local: " + ours + "\n",
		"models/related.sql": "select k.kind, count(*) as n from {{ ref('dewpoint', 'relationships') }} r\n" +
			"join {{ source('dewpoint', 'resources') }} k on k._id = r.from_id where {{ dewpoint.tag('k.tags', 'team') }} is not null group by k.kind\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := dbtCommand(t)
	cmd := exec.Command(command[0], append(command[1:], "deps", "--log-path", t.TempDir())...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dbt deps: %v\n%s", err, out)
	}
	return dir
}

// priceFile is a file of prices as dewpoint prices refresh writes it.
func priceFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prices.csv")
	text := "cloud,region,item_kind,item,variant,unit,price_usd,as_of,source\n" +
		"aws,eu-central-1,nat_gateway,,,hour,0.052,2026-11-01,a test\naws,eu-central-1,nat_gateway,,,hour,9,2026-10-01,a test\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPricesOfOthers holds that a file that is none of prices is refused
// before anything is built.
func TestPricesOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.csv")
	for _, want := range []string{"run dewpoint prices refresh", "the first line of"} {
		if _, err := transform.Run(t.Context(), refusing{}, nil, transform.WithPrices(path)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if err := os.WriteFile(path, []byte("a,b\n1,2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// refusing is a sink in which nothing can be built.
type refusing struct{ sinks.Modeller }

func (refusing) Dialect() string { return "duckdb" }

// moving are columns that tell how long ago something was.
var moving = []string{"age_days", "age_hours", "days", "shortest_days", "median_days", "p90_days", "longest_days"}

// equalRows compares a model of both schemas and returns how many rows it has.
func equalRows(t *testing.T, db *sql.DB, m sinks.Modeller, name string) int {
	t.Helper()
	_, schema := m.ModelSchemas()
	columns := func(schema string) []string {
		rows, err := db.QueryContext(t.Context(), "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = '"+strings.Trim(schema, `"`)+
			"' AND table_name = '"+name+"' ORDER BY ordinal_position")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var all []string
		for rows.Next() {
			var column, typ string
			if err := rows.Scan(&column, &typ); err != nil {
				t.Fatal(err)
			}
			all = append(all, column+" "+typ)
		}
		return all
	}
	ours, theirs := columns(schema), columns(other)
	// What a seed's text columns are called differs, not what they hold.
	text := strings.NewReplacer("character varying", "text", "VARCHAR", "text")
	if text.Replace(fmt.Sprint(ours)) != text.Replace(fmt.Sprint(theirs)) {
		t.Fatalf("%s has the columns\n%v\nby dbt\n%v", name, ours, theirs)
	}
	var list []string
	for _, c := range ours {
		column, typ, _ := strings.Cut(c, " ")
		switch {
		case slices.Contains(moving, column):
			continue
		case strings.HasPrefix(typ, "json"): // no equality in Postgres for json, none needed for its text
			column = "cast(" + column + " as varchar)"
		}
		list = append(list, column)
	}
	count := func(q string) (n int) {
		if err := db.QueryRowContext(t.Context(), q).Scan(&n); err != nil {
			t.Fatalf("%v\nin: %s", err, q)
		}
		return n
	}
	all := "SELECT " + strings.Join(list, ", ") + " FROM "
	a, b := all+schema+"."+name, all+other+"."+name
	n := count("SELECT count(*) FROM (" + a + ") q")
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if d := count("SELECT count(*) FROM (" + pair[0] + " EXCEPT ALL " + pair[1] + ") q"); d != 0 {
			t.Errorf("%s: %d of %d rows differ: %s is not in %s", name, d, n, pair[0], pair[1])
		}
	}
	return n
}

// TestCompiledIsCurrent holds that the embedded models are what dbt compiles.
func TestCompiledIsCurrent(t *testing.T) {
	work := t.TempDir()
	if err := os.CopyFS(work, os.DirFS("../dbt")); err != nil {
		t.Fatal(err)
	}
	gen := filepath.Join(t.TempDir(), "gen")
	if out, err := exec.Command("go", "build", "-o", gen, "../dbt/gen").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(gen, "-compile", python(t))
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dir := range []string{"compiled", "models/staging", "models"} {
		files, err := os.ReadDir(filepath.Join("../dbt", dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.IsDir() {
				continue
			}
			want, err := os.ReadFile(filepath.Join(work, dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			have, err := os.ReadFile(filepath.Join("../dbt", dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(have, want) {
				t.Errorf("dbt/%s/%s is not what is generated: run make generate", dir, f.Name())
			}
		}
	}
}

// TestImpactAndPath builds the models in all databases, in an emulator of
// Snowflake too, and asks them the same.
func TestImpactAndPath(t *testing.T) {
	var trees, paths []string
	urls := slices.Collect(maps.Values(databases(t)))
	snow, err := snowflaketest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snow.Stop)
	for _, url := range append(urls, snow.URL("DEMO")) {
		m := demo(t, url)
		before := reader(t, url)
		if _, err := transform.Find(t.Context(), before, m, "sandbox-eu-central-1"); err == nil || !strings.Contains(err.Error(), "run dewpoint transform") {
			t.Errorf("%s without models: %v", url, err)
		}
		before.Close() // a DuckDB file that is read cannot be written
		if _, err := transform.Run(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
		db := reader(t, url)
		trees = append(trees, tree(t, db, m, "sandbox-eu-central-1", 100))
		if cut := tree(t, db, m, "sandbox-eu-central-1", 3); !strings.Contains(cut, "   31 block its deletion\n    7 go with it\n") || !strings.Contains(cut, "The nearest 3 are shown") {
			t.Errorf("the counts are those of the rows shown:\n%s", cut)
		}
		from, to := find(t, db, m, "203.0.113.10"), find(t, db, m, "i-d72558ba3cd56a267")
		q, err := transform.PathSQL(m, from.UUID, to.UUID)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := transform.ReadPath(t.Context(), db, q)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := transform.WritePath(&b, steps); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, b.String())
		if _, err := transform.Find(t.Context(), db, m, "checkout-00"); err == nil || !strings.Contains(err.Error(), "4 resources are called") {
			t.Errorf("an ambiguous name: %v", err)
		}
		if _, err := transform.Find(t.Context(), db, m, "it's nothing"); err == nil || !strings.Contains(err.Error(), "no resource") {
			t.Errorf("an unknown name: %v", err)
		}
	}
	if slices.ContainsFunc(trees, func(s string) bool { return s != trees[0] }) || slices.ContainsFunc(paths, func(s string) bool { return s != paths[0] }) {
		t.Errorf("the databases differ:\n%s", strings.Join(append(trees, paths...), "\n"))
	}
	for _, want := range []string{
		"aws_ec2_vpc sandbox-eu-central-1", "├─ blocks   aws_ec2_subnet sandbox-a", "├─ goes     aws_ec2_security_group sandbox-search",
		"│  └─ breaks   aws_elbv2_listener ", "detached aws_ec2_internet_gateway sandbox-igw", "   31 block its deletion\n    7 go with it\n",
	} {
		if !strings.Contains(trees[0], want) {
			t.Errorf("the tree lacks %q:\n%s", want, trees[0])
		}
	}
	if want := "── attaches ─> aws_ec2_network_interface"; !strings.Contains(paths[0], want) || strings.Count(paths[0], "\n") != 4 {
		t.Errorf("the path is\n%s", paths[0])
	}
}

func reader(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := workflow.OpenReader(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func find(t *testing.T, db *sql.DB, m sinks.Modeller, text string) transform.Resource {
	t.Helper()
	r, err := transform.Find(t.Context(), db, m, text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tree(t *testing.T, db *sql.DB, m sinks.Modeller, text string, limit int) string {
	t.Helper()
	of := find(t, db, m, text)
	q, err := transform.ImpactSQL(m, of.UUID, limit)
	if err != nil {
		t.Fatal(err)
	}
	im, err := transform.ReadImpact(t.Context(), db, of, q)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := im.WriteTree(&b, 5); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
