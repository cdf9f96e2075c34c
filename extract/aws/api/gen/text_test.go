package main

import (
	"strings"
	"testing"
)

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"<p>The ID of the <a href=\"x\">VPC</a>. It is long.</p>":                              "The ID of the VPC.",
		"<p>Any size, e.g. 10 GiB. More.</p>":                                                  "Any size, e.g. 10 GiB.",
		"<note><p>Not yet.</p></note><p>What it is.</p>":                                       "What it is.",
		"<p>One of:</p> <ul><li>a</li></ul>":                                                   "One of:",
		"<p>a &lt; b &amp;\n   c</p>":                                                          "a < b & c",
		"<note><p>Only a note.</p></note>":                                                     "Only a note.",
		"<p>Version 1.2 of it</p>":                                                             "Version 1.2 of it",
		"<p>" + strings.Repeat("long ", 100) + "</p>":                                          strings.TrimSpace(strings.Repeat("long ", 60)) + " ...",
		"<fullname>Amazon Thing</fullname> <p>Does <code>this</code>. And that.</p> <p>X.</p>": "Does this.",
	} {
		if got := sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCondense(t *testing.T) {
	rules := condense(map[string]map[string]string{
		"aws":    {"a": "x", "b": "x", "c": "y"},
		"aws-cn": {"d": "x"},
		"aws-gv": {"e": "z"},
	}, "default")
	want := map[string]string{"*": "x", "c": "y", "aws-gv": "z"}
	if len(rules) != len(want) {
		t.Fatal(rules)
	}
	for k, v := range want {
		if rules[k] != v {
			t.Errorf("%s: %q, want %q", k, rules[k], v)
		}
	}
}

func TestHasVerb(t *testing.T) {
	for op, want := range map[string]bool{"ListThings": true, "Listen": false, "GetX": true, "Getaway": false, "CreateBucket": false} {
		if got := hasVerb(op, readVerbs); got != want {
			t.Errorf("%s: %v", op, got)
		}
	}
}
