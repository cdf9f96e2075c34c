package workflow_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
	"github.com/dewpoint-data/dewpoint/sinks/snowflake/snowflaketest"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// place is a sink of the test of all sinks, and how it is asked.
type place struct {
	url     string
	dialect sinktest.Dialect
	ident   func(string) string
	query   func(db *sql.DB, q string) ([][]string, error)
}

// TestSameRowsInAllSinks syncs an estate that changes into all sinks at once
// and compares all that they hold, value by value.
func TestSameRowsInAllSinks(t *testing.T) {
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") != "" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	s3 := objectstest.StartS3(t)
	keys := map[string]string{"AWS_ACCESS_KEY_ID": os.Getenv("AWS_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY": os.Getenv("AWS_SECRET_ACCESS_KEY")}
	e := newEstate(t, awsfake.Options{PageSize: 2}, "aws_ec2_volume", "aws_ec2_vpc", "aws_ec2_subnet", "aws_ec2_instance", "aws_s3_bucket", "aws_sqs_queue")
	for k, v := range keys { // those of the S3 sink; the estate has a profile
		t.Setenv(k, v)
	}
	setupS3(e)
	places := allSinks(t, e, s3)
	for _, p := range places {
		e.sinks = append(e.sinks, p.url)
	}
	e.Put(at("", east), "s3.ListBuckets",
		item{"Name": "logs", "CreationDate": born, "BucketRegion": east}, item{"Name": "data", "CreationDate": born, "BucketRegion": east})
	owner := "ann"
	e.Handle(anywhere, "s3.GetBucketTagging", func(*awsfake.Request) (map[string]any, error) { return item{"TagSet": tags(owner)}, nil })
	put := func(size int, names ...string) {
		for _, r := range []string{east, west} {
			var volumes []item
			for _, n := range names {
				v := volume(n+"-"+r, size)
				v["Tags"] = append(tags(`Zoë "<&>'\ 日本`), item{"Key": "Ω", "Value": ""})
				v["Attachments"] = []any{item{"InstanceId": "i-1-" + r, "Device": "/dev/sda", "AttachTime": born}}
				volumes = append(volumes, v)
			}
			e.Put(at("", r), "ec2.DescribeVolumes", volumes...)
			e.Put(at("", r), "ec2.DescribeVpcs", vpc("vpc-"+r, accountA), vpc("vpc-shared", accountB))
			e.Put(at("", r), "ec2.DescribeSubnets", item{
				"SubnetId": "subnet-" + r, "VpcId": "vpc-" + r, "CidrBlock": "10.0.1.0/24", "OwnerId": accountA,
				"SubnetArn": "arn:aws:ec2:" + r + ":" + accountA + ":subnet/subnet-" + r,
			})
			e.Put(at("", r), "ec2.DescribeInstances", item{"ReservationId": "r-1", "OwnerId": accountA, "Instances": []any{item{
				"InstanceId": "i-1-" + r, "InstanceType": "m5.large", "LaunchTime": born.Add(123456789 * time.Nanosecond), "VpcId": "vpc-" + r,
				"SubnetId": "subnet-" + r, "State": item{"Name": "running", "Code": 16}, "SecurityGroups": []any{}, "Tags": []any{},
			}}})
		}
	}
	steps := []struct {
		name string
		do   func()
	}{
		{"first", func() { put(1, "vol-a", "vol-b", "vol-c") }},
		{"changed and gone", func() { put(1<<40, "vol-b", "vol-c", "vol-d"); owner = "bob" }},
		{"denied", func() {
			put(2, "vol-c")
			e.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "ec2.DescribeVolumes", Region: east})
			e.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "s3.GetBucketTagging", Resource: "logs"})
		}},
		{"unchanged", func() { e.Heal(); put(2, "vol-c") }},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			s.do()
			r, err := e.attempt(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range r.Sinks {
				if k.Err != nil {
					t.Errorf("%s: %v", k.URL, k.Err)
				}
				if k.Summary.Bytes = 0; fmt.Sprint(sorted(k)) != fmt.Sprint(sorted(r.Sinks[0])) {
					t.Errorf("%s says\n%v\nnot\n%v", k.URL, sorted(k), sorted(r.Sinks[0]))
				}
			}
			first := places[0].dump(t, e)
			for _, p := range places[1:] {
				if missing, extra := difference(slices.Clone(first), p.dump(t, e)); len(missing)+len(extra) > 0 {
					t.Errorf("%s lacks\n\t%s\nhas besides\n\t%s", p.url, strings.Join(missing, "\n\t"), strings.Join(extra, "\n\t"))
				}
			}
			if len(first) < 100 {
				t.Errorf("only %d lines are compared", len(first))
			}
		})
	}
}

// sorted is what a sink says of its kinds, in their order.
func sorted(r workflow.SinkReport) []string {
	out := []string{fmt.Sprint("edges ", r.Summary.Edges)}
	for _, k := range r.Summary.Kinds {
		out = append(out, fmt.Sprintf("%+v", k))
	}
	slices.Sort(out)
	return out
}

// allSinks starts the servers and returns a place in each.
func allSinks(t *testing.T, e *estate, s3 *objectstest.S3) []place {
	t.Helper()
	pg, err := postgrestest.Start(postgrestest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pg.Stop)
	if err := pg.Exec(t.Context(), "postgres", "CREATE DATABASE estate"); err != nil {
		t.Fatal(err)
	}
	snow, err := snowflaketest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snow.Stop)
	upper := func(name string) string { return `"` + strings.ToUpper(name) + `"` }
	return []place{
		{url: "duckdb:" + e.path, query: sinktest.QueryDuckDB},
		{url: pg.URL("estate"), dialect: sinktest.Postgres, query: queryPostgres},
		{url: "parquet:" + filepath.Join(filepath.Dir(e.path), "files"), query: sinktest.QueryDuckDB},
		{url: s3.URL() + "&region=" + s3.Region, query: sinktest.QueryDuckDB},
		{url: snow.NewSchema(), dialect: sinktest.Snowflake, ident: upper, query: querySnowflake},
	}
}

// dump returns the lines of all that a place holds, each behind its table.
func (p place) dump(t *testing.T, e *estate) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	db, err := workflow.OpenReader(ctx, p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cat, err := kinds()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := cat.Select(e.kinds, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := sinktest.Dump(sinktest.Target{
		Dialect: p.dialect, Ident: p.ident, Query: func(q string) ([][]string, error) { return p.query(db, q) },
	}, catalog.Kinds(entries))
	if err != nil {
		t.Fatalf("%s: %v", p.url, err)
	}
	var lines []string
	table := ""
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "== "); ok {
			table = strings.TrimSpace(name)
		}
		lines = append(lines, table+": "+strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// queryPostgres reads lists as JSON.
func queryPostgres(db *sql.DB, q string) ([][]string, error) {
	return queryAs(db, q, func(name, typ string) string {
		if strings.HasPrefix(typ, "_") {
			return "to_jsonb(" + name + ")"
		}
		return name
	})
}

// querySnowflake reads times as numbers: a NULL time comes as the epoch from
// the emulator.
func querySnowflake(db *sql.DB, q string) ([][]string, error) {
	const mark = "micros:"
	all, err := queryAs(db, q, func(name, typ string) string {
		if typ == "TIMESTAMP_TZ" {
			return "'" + mark + "' || DATE_PART(EPOCH_MICROSECOND, " + name + ")::VARCHAR"
		}
		return name
	})
	for _, r := range all {
		for i := range r {
			var micros int64
			if text, ok := strings.CutPrefix(r[i], mark); ok {
				if _, err := fmt.Sscan(text, &micros); err != nil {
					return nil, err
				}
				r[i] = time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
			}
		}
	}
	return all, err
}

// queryAs runs a query with another expression for each column.
func queryAs(db *sql.DB, q string, as func(name, typ string) string) ([][]string, error) {
	rows, err := db.Query(q)
	if err != nil {
		return nil, err
	}
	types, err := rows.ColumnTypes()
	if err := rows.Close(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	cols := make([]string, len(types))
	for i, c := range types {
		cols[i] = as(`"`+c.Name()+`"`, c.DatabaseTypeName())
	}
	return sinktest.Query(db, "SELECT "+strings.Join(cols, ", ")+" FROM ("+q+") q")
}
