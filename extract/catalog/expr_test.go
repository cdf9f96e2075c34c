package catalog

import (
	"fmt"
	"testing"
)

func TestParseExpr(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"InstanceId", "anywhere InstanceId"},
		{".", "anywhere ."},
		{"{.}", "anywhere ."},
		{"item", "item ."},
		{"{item.Name}", "item Name"},
		{"{parent}", "parent ."},
		{"parent.Id | after_last(/)", "parent Id 1(/)"},
		{"{account}", "anywhere . scope:account"},
		{"account", "anywhere account"},
		{"^.OwnerId", "anywhere ^1 OwnerId"},
		{"^.^.Owner", "anywhere ^2 Owner"},
		{"Groups[].GroupId", "anywhere Groups[].GroupId"},
		{"Matrix[][].X", "anywhere Matrix[][].X"},
		{"Attributes{}", "anywhere Attributes{}"},
		{"Users{key}", "anywhere Users{key}"},
		{"tag:Name", "anywhere . tag:Name"},
		{"tag:aws:cloudformation:stack-id", "anywhere . tag:aws:cloudformation:stack-id"},
		{"header:ETag", "anywhere . header:ETag"},
		{"GetBucket:header:ETag", "call:GetBucket . header:ETag"},
		{"GetBucketTagging:TagSet", "call:GetBucketTagging TagSet"},
		{"Arn | arn_part(resource) | split(|) | first", "anywhere Arn 4(resource) 8(|) 7()"},
		{"Doc | urldecode | json(a)", "anywhere Doc 5() 6(a)"},
		{"A..B", `error: path "A..B" has an empty step`},
		{"A[0]", `error: path "A[0]": "[0]" is neither [], {} nor {key}`},
		{"A b", `error: path "A b": "A b" is no member name`},
		{"A | afterlast(/)", `error: unknown transform "afterlast"; did you mean "after_last"?`},
		{"A | split", `error: transform split needs an argument: split(/)`},
		{"A | split(x", `error: transform "split(x" lacks its closing parenthesis`},
		{"A | first(1)", `error: transform first takes no argument`},
		{"A | arn_part(zone)", `error: arn_part(zone): the parts of an ARN are partition, service, region, account, resource, id`},
		{"tag:", `error: "tag:" names no tag`},
	} {
		e, err := parseExpr(c.in)
		got := [...]string{"anywhere", "item", "parent", "call:" + e.call}[e.from]
		if e.up > 0 {
			got += fmt.Sprintf(" ^%d", e.up)
		}
		got += " " + pathText(e.path)
		for _, x := range []struct{ k, v string }{{"tag", e.tag}, {"header", e.header}, {"scope", e.scopeVar}} {
			if x.v != "" {
				got += " " + x.k + ":" + x.v
			}
		}
		for _, x := range e.transforms {
			got += fmt.Sprintf(" %d(%s)", x.Op, x.Arg)
		}
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestParseTemplate(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"arn:{partition}:x/{item.A | after_last(/)}", "arn:<partition>:x/<item.A | after_last(/)>"},
		{"{a}{b}", "<a><b>"},
		{"{Map{}.X}/y", "<Map{}.X>/y"},
		{"{open", `error: template "{open" lacks a closing brace`},
		{"{}", `error: template "{}" has empty braces`},
	} {
		parts, err := parseTemplate(c.in)
		got := ""
		for _, p := range parts {
			if p.brace {
				got += "<" + p.text + ">"
			} else {
				got += p.text
			}
		}
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
	for text, want := range map[string]bool{"A": false, "{A}": false, "Map{}.X": false, "M{key}": false, "a/{B}": true, "{A}/{B}": true, "{A}{B}": true} {
		if isTemplate(text) != want {
			t.Errorf("isTemplate(%s) is %t", text, !want)
		}
	}
}
