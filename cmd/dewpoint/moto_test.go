package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dewpoint-data/dewpoint/extract/aws/mototest"
	"github.com/dewpoint-data/dewpoint/react"
)

// motoCommand runs an emulator of AWS that can be changed, with credentials of
// a user, or a program of Python against it:
//
//	moto start
//	moto run FILE
//	moto deny WORD BUCKET    answers 403 to requests of a bucket with ?WORD
func motoCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) != map[string]int{"start": 1, "run": 2, "deny": 3}[args[0]] {
		ts.Fatalf("usage: moto start, moto run FILE, moto deny WORD BUCKET")
	}
	denied := ts.Value(motoKey{}).(*sync.Map)
	switch args[0] {
	case "run":
		ts.Check(ts.Exec(filepath.Join(mototest.Bin(), "python"), ts.MkAbs(args[1])))
		return
	case "deny":
		denied.Store("/"+args[2]+"?"+args[1], true)
		return
	}
	address, stop, err := mototest.Start()
	ts.Check(err)
	ts.Defer(stop)
	to, err := url.Parse(address)
	ts.Check(err)
	forward := httputil.NewSingleHostReverseProxy(to)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for word := range r.URL.Query() {
			if _, no := denied.Load(r.URL.Path + "?" + word); no {
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
				return
			}
		}
		forward.ServeHTTP(w, r)
	}))
	ts.Defer(proxy.Close)
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": proxy.URL, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
	} {
		ts.Setenv(k, v)
	}
}

// motoKey is what moto deny denies: a *sync.Map of paths with a word.
type motoKey struct{}

// hourCommand lets an hour pass for the graces of the file dewpoint.state.
func hourCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: hour")
	}
	ctx := context.Background()
	store := react.OpenFileStore(ts.MkAbs("dewpoint.state"))
	marks, _, err := store.Everything(ctx)
	ts.Check(err)
	for rule, of := range marks {
		var put []react.Mark
		for _, m := range of {
			m.FirstMatchedAt, m.LastMatchedAt = m.FirstMatchedAt.Add(-time.Hour), m.LastMatchedAt.Add(-time.Hour)
			put = append(put, m)
		}
		ts.Check(store.SetMarks(ctx, rule, put, nil))
	}
}

// pageCommand holds a page of the documentation against what a script does:
//
//	page writes PAGE FILE              its first block of YAML, to a file
//	page says PAGE FILE COMMAND        what the page has a command print, or is the file's text
func pageCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: page writes PAGE FILE, page says PAGE FILE COMMAND")
	}
	text, err := os.ReadFile(filepath.Join(docs, args[1]))
	ts.Check(err)
	if args[0] == "writes" {
		for block := range blocks(string(text), "yaml") {
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(block), 0o600))
			return
		}
		ts.Fatalf("%s has no block of YAML", args[1])
	}
	out := ts.ReadFile(args[2])
	for _, s := range steps(string(text), false) {
		if s.text == args[3] {
			if !prints(out, s.output) {
				ts.Fatalf("%s prints\n%s\nnot, as %s says,\n%s", s.text, out, args[1], s.output)
			}
			return
		}
	}
	ts.Fatalf("%s has no command %s", args[1], args[3])
}
