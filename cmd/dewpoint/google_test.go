package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
)

type googleKey struct{}

// googleCommand runs a Google Cloud with the projects one and two, whose
// operations end at the second question:
//
//	google start                            GOOGLE_URL is its endpoint
//	google put SERVICE PATH FILE...         a document each
//	google has SERVICE PATH TEXT...         a document there holds the texts
//	google refuse OPERATION STATUS REASON   that call, once
//	google fails OPERATION STATUS REASON    what the call begins, once
//	google called OPERATION N               so often in all
func googleCommand(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Value(googleKey{}).(**gcpfake.Server)
	if len(args) == 0 || *server == nil && args[0] != "start" {
		ts.Fatalf("usage: google start, then put, has, refuse, fails, called")
	}
	s := *server
	status := func(i int) (n int) {
		_, err := fmt.Sscan(args[i], &n)
		ts.Check(err)
		return n
	}
	switch args[0] {
	case "start":
		s = gcpfake.New(gcpfake.Options{Polls: 2, Projects: []gcpfake.Project{{ID: "one", Number: "111", Name: "One"}, {ID: "two", Number: "222", Name: "Two"}}})
		ts.Defer(s.Close)
		*server = s
		ts.Setenv("GOOGLE_URL", s.URL)
	case "put":
		for _, f := range args[3:] {
			var d map[string]any
			ts.Check(json.Unmarshal([]byte(ts.ReadFile(f)), &d))
			s.Put(args[1], args[2], d)
		}
	case "has":
		found := false
		for _, d := range s.Documents(args[1], args[2]) {
			text, err := json.Marshal(d)
			ts.Check(err)
			all := true
			for _, want := range args[3:] {
				all = all && strings.Contains(string(text), want)
			}
			found = found || all
		}
		if found == neg {
			ts.Fatalf("%s %s: %v", args[1], args[2], s.Documents(args[1], args[2]))
		}
	case "refuse", "fails":
		kind := map[string]gcpfake.FaultKind{"refuse": gcpfake.Refuse, "fails": gcpfake.FailLater}[args[0]]
		s.Inject(gcpfake.Fault{Kind: kind, Op: args[1], Times: 1, Refusal: gcpfake.Refusal{Status: status(2), Reason: args[3], Message: args[3]}})
	case "called":
		if n := s.Calls(args[1]); n != status(2) != neg {
			ts.Fatalf("%s was called %d times", args[1], n)
		}
	}
}
