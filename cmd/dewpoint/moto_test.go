package main

import (
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dewpoint-data/dewpoint/extract/aws/mototest"
)

// motoCommand runs an emulator of AWS that can be changed, with credentials of
// a user, or a program of Python against it: moto start, moto run FILE.
func motoCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) == 1 != (args[0] == "start") {
		ts.Fatalf("usage: moto start, moto run FILE")
	}
	if args[0] == "run" {
		ts.Check(ts.Exec(filepath.Join(mototest.Bin(), "python"), ts.MkAbs(args[1])))
		return
	}
	address, stop, err := mototest.Start()
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("AWS_ENDPOINT_URL", address)
	ts.Setenv("AWS_ACCESS_KEY_ID", "key")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	ts.Setenv("AWS_REGION", "eu-west-1")
	ts.Setenv("AWS_DEFAULT_REGION", "eu-west-1")
}
