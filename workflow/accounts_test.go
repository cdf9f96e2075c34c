package workflow_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// lockedOut refuses the credentials of an account.
func lockedOut(account string) awsfake.Fault {
	return awsfake.Fault{Kind: awsfake.Fail, Account: account, Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid.", Status: 403}
}

func TestOnlyAccountThatCannotBeEnteredIsAnError(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_ec2_vpc")
	e.Put(anywhere, "ec2.DescribeVpcs", vpc("vpc-1", accountA))
	e.Inject(lockedOut(accountA))
	fails := func() {
		t.Helper()
		r, err := e.attempt(t.Context())
		if err == nil || !strings.Contains(err.Error(), "profile a") || !strings.Contains(err.Error(), "InvalidClientTokenId") {
			t.Errorf("sync: %v", err)
		}
		if r != nil && r.Committed() {
			t.Error("the sync is committed")
		}
	}
	fails()
	if _, err := os.Stat(e.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
	e.Heal()
	e.complete()
	before := e.rows(everyRow)
	e.Inject(lockedOut(accountA))
	fails()
	e.want(everyRow, before...)
	e.want("SELECT count(*) FROM syncs", "1")
}

func TestOneOfTwoAccountsThatCannotBeEnteredKeepsItsRows(t *testing.T) {
	role := "arn:aws:iam::" + accountB + ":role/reader"
	for name, c := range map[string]struct {
		b       aws.AccountConfig
		fault   awsfake.Fault
		scope   string
		state   string
		message string
	}{
		"credentials": {aws.AccountConfig{Profile: "b"}, lockedOut(accountB), "profile b * *", "failed InvalidClientTokenId", "GetCallerIdentity"},
		"role": {
			aws.AccountConfig{Profile: "a", AssumeRole: aws.AssumeRole{RoleARN: role}},
			awsfake.Fault{Kind: awsfake.Deny, Op: "sts.AssumeRole"},
			accountB + " * *", "denied AccessDenied", role,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, awsfake.Options{Regions: []awsfake.Region{{Name: east}}}, "aws_ec2_vpc")
			e.accounts = append(e.accounts, c.b)
			e.Put(at(accountA, ""), "ec2.DescribeVpcs", vpc("vpc-a1", accountA), vpc("vpc-a2", accountA))
			e.Put(at(accountB, ""), "ec2.DescribeVpcs", vpc("vpc-b1", accountB), vpc("vpc-b2", accountB))
			e.complete()
			e.Put(at(accountA, ""), "ec2.DescribeVpcs", vpc("vpc-a2", accountA), vpc("vpc-a3", accountA))
			e.Put(at(accountB, ""), "ec2.DescribeVpcs")
			e.Inject(c.fault)
			r := e.sync()
			e.incomplete(r, c.scope+" "+c.state)
			if len(r.Incomplete) == 1 && !strings.Contains(r.Incomplete[0].Error, c.message) {
				t.Errorf("the reason is %q, which does not name %s", r.Incomplete[0].Error, c.message)
			}
			e.want("SELECT id FROM resources", "vpc-a2", "vpc-a3", "vpc-b1", "vpc-b2")
			e.want("SELECT kind, state, code FROM scopes WHERE region = '*'", "aws_ec2_vpc "+c.state)
			e.whole()
			e.Heal()
			e.complete()
			e.want("SELECT id FROM resources", "vpc-a2", "vpc-a3")
			e.want("SELECT kind FROM scopes WHERE region = '*'")
			e.whole()
		})
	}
}

func TestAccountNamedTwiceIsReadOnce(t *testing.T) {
	e := newEstate(t, awsfake.Options{Regions: []awsfake.Region{{Name: east}}}, "aws_ec2_vpc")
	e.accounts = []aws.AccountConfig{{Profile: "a"}, {Profile: "a"}}
	e.Put(anywhere, "ec2.DescribeVpcs", vpc("vpc-1", accountA))
	r := e.sync()
	e.incomplete(r)
	if n := e.Calls("ec2.DescribeVpcs"); n != 1 {
		t.Errorf("%d calls, want 1", n)
	}
	e.want("SELECT id FROM resources", "vpc-1")
	e.want("SELECT account, code, count FROM problems", accountA+" duplicate 1")
}

func TestSyncOfOneAccountLeavesTheOther(t *testing.T) {
	e := newEstate(t, awsfake.Options{Regions: []awsfake.Region{{Name: east}}}, "aws_ec2_volume", "aws_ec2_vpc", "aws_iam_role")
	for _, account := range []string{accountA, accountB} {
		end := account[:1]
		e.Put(at(account, ""), "ec2.DescribeVpcs", vpc("vpc-1"+end, account), vpc("vpc-2"+end, account))
		e.Put(at(account, ""), "ec2.DescribeVolumes", volume("vol-1"+end, 1))
	}
	e.accounts = []aws.AccountConfig{{Profile: "a"}, {Profile: "b"}}
	e.complete()
	const ofA = "SELECT * FROM resources WHERE account = '" + accountA + "'"
	before := e.rows(ofA)
	const scopesOfA = "SELECT * EXCLUDE (age) FROM scope_freshness WHERE account = '" + accountA + "'"
	scopes := e.rows(scopesOfA)

	// All is gone in both accounts, and only B is read.
	e.Put(at(accountA, ""), "ec2.DescribeVpcs")
	e.Put(at(accountB, ""), "ec2.DescribeVpcs")
	e.Put(at(accountB, ""), "ec2.DescribeVolumes", volume("vol-1", 2))
	e.accounts = []aws.AccountConfig{{Profile: "b"}}
	e.complete()
	e.want(ofA, before...)
	e.want(scopesOfA, scopes...)
	e.want("SELECT id FROM resources WHERE account = '"+accountB+"'", "vol-1")
	e.want("SELECT count(*) FROM resource_history WHERE doc->>'account' = '"+accountA+"'", "0")
	e.whole()
}

// TestSharedVPCIsOneRow shares a VPC of the account A with B, which lists it
// too.
func TestSharedVPCIsOneRow(t *testing.T) {
	e := newEstate(t, awsfake.Options{Regions: []awsfake.Region{{Name: east}}}, "aws_ec2_vpc")
	own, shared := vpc("vpc-b", accountB), vpc("vpc-shared", accountA)
	lists := func(a, b []item) {
		e.Put(at(accountA, ""), "ec2.DescribeVpcs", a...)
		e.Put(at(accountB, ""), "ec2.DescribeVpcs", b...)
	}
	both, onlyB := []aws.AccountConfig{{Profile: "a"}, {Profile: "b"}}, []aws.AccountConfig{{Profile: "b"}}
	const all = "SELECT id, account, urn FROM aws_ec2_vpc"
	rows := []string{
		"vpc-b " + accountB + " arn:aws:ec2:us-east-1:" + accountB + ":vpc/vpc-b",
		"vpc-shared " + accountA + " arn:aws:ec2:us-east-1:" + accountA + ":vpc/vpc-shared",
	}
	step := func(what string, accounts []aws.AccountConfig, a, b []item, want ...string) {
		t.Helper()
		e.accounts = accounts
		lists(a, b)
		e.sync()
		t.Log(what)
		e.want(all, want...)
		e.whole()
	}
	ab, b := []item{shared}, []item{own, shared}
	step("both see it", both, ab, b, rows...)
	id := e.rows("SELECT _id FROM aws_ec2_vpc WHERE id = 'vpc-shared'")
	step("the same again", both, ab, b, rows...)
	e.want("SELECT count(*) FROM resource_history", "0")
	step("B alone is read", onlyB, ab, b, rows...)
	step("B alone is read and does not see it any more", onlyB, ab, []item{own}, rows...)
	step("both see it once more", both, ab, b, rows...)
	step("it is no longer shared", both, ab, []item{own}, rows...)
	step("it is shared again", both, ab, b, rows...)

	e.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "ec2.DescribeVpcs", Account: accountA})
	step("A may not list", both, nil, b, rows...)
	step("A may not list, B does not see it", both, nil, []item{own}, rows...)
	e.Heal()
	e.want("SELECT _id FROM aws_ec2_vpc WHERE id = 'vpc-shared'", id...)
	step("it is gone", both, nil, []item{own}, rows[0])
}
