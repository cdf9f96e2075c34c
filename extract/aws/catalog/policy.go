package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
)

// maxPolicy is how long a managed policy may be, white space not counted:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html.
const maxPolicy = 6144

// discovery are the actions that finding regions and accounts takes, besides
// sts:GetCallerIdentity, which nobody needs a permission for.
var discovery = []string{"ec2:DescribeRegions", "iam:ListAccountAliases"}

// ReadPolicy is the IAM policy that reading the kinds takes and nothing else,
// as JSON. It is one document, however long; Split cuts it to size.
func ReadPolicy(entries []*catalog.Entry) ([]byte, error) {
	actions := slices.Clone(discovery)
	for _, e := range entries {
		actions = append(actions, e.Reads()...)
	}
	return policy("Read", actions)
}

// WritePolicy is the IAM policy that deleting and tagging takes, as JSON.
func WritePolicy(entries []*catalog.Entry) ([]byte, error) {
	var actions []string
	for _, e := range entries {
		actions = append(actions, e.Writes()...)
	}
	return policy("Write", actions)
}

type policyDocument struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid      string
	Effect   string
	Action   []string
	Resource string
}

// policy writes a document with a statement for each service.
func policy(verb string, actions []string) ([]byte, error) {
	doc := policyDocument{Version: "2012-10-17", Statement: []statement{}}
	slices.Sort(actions)
	for _, a := range slices.Compact(actions) {
		service, _, ok := strings.Cut(a, ":")
		if !ok {
			return nil, fmt.Errorf("%q is no IAM action", a)
		}
		sid := verb + sidOf(service)
		if n := len(doc.Statement); n == 0 || doc.Statement[n-1].Sid != sid {
			doc.Statement = append(doc.Statement, statement{Sid: sid, Effect: "Allow", Resource: "*"})
		}
		s := &doc.Statement[len(doc.Statement)-1]
		s.Action = append(s.Action, a)
	}
	return json.MarshalIndent(doc, "", "  ")
}

// sidOf makes the letters and digits that a statement's id may have.
func sidOf(service string) string {
	var b strings.Builder
	up := true
	for _, r := range service {
		if r == '-' {
			up = true
			continue
		}
		if up {
			b.WriteString(strings.ToUpper(string(r)))
		} else {
			b.WriteRune(r)
		}
		up = false
	}
	return b.String()
}

// SplitPolicy cuts a policy into documents that each fit into a managed
// policy, whose limit is 6,144 characters without white space.
func SplitPolicy(doc []byte) ([][]byte, error) {
	var p policyDocument
	if err := json.Unmarshal(doc, &p); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	var out [][]byte
	part := policyDocument{Version: p.Version}
	size := func(ss []statement) int {
		b, _ := json.Marshal(policyDocument{Version: p.Version, Statement: ss})
		return len(b)
	}
	flush := func() error {
		if len(part.Statement) == 0 {
			return nil
		}
		b, err := json.MarshalIndent(part, "", "  ")
		part.Statement = nil
		out = append(out, b)
		return err
	}
	var queue []statement
	for _, s := range p.Statement {
		// A statement that alone is too long goes in halves.
		n := 1
		for size([]statement{{s.Sid, s.Effect, s.Action[:(len(s.Action)+n-1)/n], s.Resource}}) > maxPolicy && n < len(s.Action) {
			n *= 2
		}
		i := 0
		for chunk := range slices.Chunk(s.Action, (len(s.Action)+n-1)/n) {
			t := s
			if t.Action = chunk; i > 0 {
				t.Sid = fmt.Sprintf("%s%d", s.Sid, i+1)
			}
			queue = append(queue, t)
			i++
		}
	}
	for _, s := range queue {
		if size(append(slices.Clone(part.Statement), s)) > maxPolicy {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		part.Statement = append(part.Statement, s)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return out, nil
}

// CompactPolicy is a policy without white space, as its length is counted.
func CompactPolicy(doc []byte) ([]byte, error) {
	var b bytes.Buffer
	err := json.Compact(&b, doc)
	return b.Bytes(), err
}
