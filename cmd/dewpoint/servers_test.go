package main

import (
	"context"
	"fmt"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

type postgresKey struct{}

// postgresCommand runs a Postgres server of the script's own, whose user needs
// the password ESTATE_PASSWORD: postgres start|stop. PGURL is its URL.
func postgresCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: postgres start|stop")
	}
	at := ts.Value(postgresKey{}).(**postgrestest.Server)
	if args[0] == "stop" {
		(*at).Stop()
		return
	}
	s, err := postgrestest.Start(postgrestest.Options{})
	ts.Check(err)
	ts.Defer(s.Stop)
	*at = s
	ctx := context.Background()
	ts.Check(s.Exec(ctx, "postgres", "CREATE ROLE dewpoint LOGIN PASSWORD 'p@ss/w?rd#%'"))
	ts.Check(s.Exec(ctx, "postgres", "CREATE DATABASE estate OWNER dewpoint"))
	ts.Setenv("PGURL", fmt.Sprintf("postgres://dewpoint:${ESTATE_PASSWORD}@127.0.0.1:%d/estate", s.Port))
}

// condition is [servers]: tests may start servers.
func condition(name string) (bool, error) {
	if name == "servers" {
		return os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "", nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}
