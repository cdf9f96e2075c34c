package catalog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
)

func load(t *testing.T) *catalog.Catalogue {
	t.Helper()
	c, err := catalog.Load([]catalog.Vendor{Vendor()}, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadPolicyIsWhatTheCallsNeed(t *testing.T) {
	c := load(t)
	e, _ := c.Entry("aws_ecs_service")
	got, err := ReadPolicy([]*catalog.Entry{e})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "ReadEc2",
      "Effect": "Allow",
      "Action": [
        "ec2:DescribeRegions"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadEcs",
      "Effect": "Allow",
      "Action": [
        "ecs:DescribeServices",
        "ecs:ListClusters",
        "ecs:ListServices"
      ],
      "Resource": "*"
    },
    {
      "Sid": "ReadIam",
      "Effect": "Allow",
      "Action": [
        "iam:ListAccountAliases"
      ],
      "Resource": "*"
    }
  ]
}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestPoliciesOfTheEmbeddedCatalogue(t *testing.T) {
	c := load(t)
	read, err := ReadPolicy(c.Entries())
	if err != nil {
		t.Fatal(err)
	}
	write, err := WritePolicy(c.Entries())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries() {
		for _, a := range e.Reads() {
			_, op, _ := strings.Cut(a, ":")
			if slices.ContainsFunc([]string{"Delete", "Create", "Put", "Update", "Terminate", "Tag", "Untag"}, func(v string) bool { return strings.HasPrefix(op, v) }) {
				t.Errorf("%s reads by %s", e.Kind.Name, a)
			}
		}
	}
	for _, doc := range [][]byte{read, write} {
		parts, err := SplitPolicy(doc)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, p := range parts {
			short, err := CompactPolicy(p)
			if err != nil || len(short) > maxPolicy {
				t.Errorf("%d characters, %v", len(short), err)
			}
			all = append(all, actionsOf(t, p)...)
		}
		slices.Sort(all)
		want := actionsOf(t, doc)
		slices.Sort(want)
		if !slices.Equal(all, want) {
			t.Error("the parts are not the whole")
		}
	}
}

func TestAServiceTooLongForOnePolicyIsCut(t *testing.T) {
	var actions []string
	for i := range 400 {
		actions = append(actions, "ec2:DescribeSomethingWithAName"+strings.Repeat("X", i%7)+string(rune('A'+i%26))+string(rune('A'+i/26)))
	}
	doc, err := policy("Read", actions)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := SplitPolicy(doc)
	if err != nil || len(parts) < 3 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	if bytes.Count(bytes.Join(parts, nil), []byte("ec2:")) != 400 {
		t.Error("actions are lost")
	}
}

func actionsOf(t *testing.T, doc []byte) []string {
	t.Helper()
	var p policyDocument
	if err := json.Unmarshal(doc, &p); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range p.Statement {
		out = append(out, s.Action...)
	}
	return out
}
