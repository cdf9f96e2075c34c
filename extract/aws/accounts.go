package aws

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Account is an AWS account and a way to read it.
type Account struct {
	ID string
	// Name is the configured name, or the account's alias; may be empty.
	Name string
	// Partition is aws, aws-cn, aws-us-gov, ...
	Partition string
	// Caller is the ARN the account is read as.
	Caller string
	// Region is where calls that belong to no region are made.
	Region string
	// Regions are the names and globs of the regions to read; empty is all.
	Regions []string

	creds  sdk.CredentialsProvider
	config *sdk.Config // what it was made of; nil is the client's
}

// NewAccount returns an account whose identity is known already.
func NewAccount(id, partition, region string, creds sdk.CredentialsProvider) *Account {
	return &Account{ID: id, Partition: partition, Region: region, creds: creds}
}

func (a *Account) credentials(ctx context.Context) (sdk.Credentials, error) {
	if a.creds == nil {
		return sdk.Credentials{}, errors.New("the account has no credentials")
	}
	return a.creds.Retrieve(ctx)
}

// Account finds out who a configuration is: it assumes the roles, asks who
// the caller is, and for the account's alias where that is allowed.
func (c *Client) Account(ctx context.Context, ac AccountConfig) (*Account, error) {
	if c.opts.Player != nil {
		return nil, errors.New("aws: a recording knows its accounts: use Recorded")
	}
	a, err := c.open(ctx, ac)
	if err != nil {
		return nil, err
	}
	if err := c.identify(ctx, a); err != nil {
		return nil, fmt.Errorf("account of %s: %w", ac, err)
	}
	if ac.Name == "" {
		a.Name = c.alias(ctx, a)
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if c.opts.Recorder != nil {
		err := c.opts.Recorder.Account(extract.TapeAccount{Cloud: "aws", ID: a.ID, Name: a.Name, Partition: a.Partition, Region: a.Region})
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Recorded are the accounts of the client's recording, with all their regions.
func (c *Client) Recorded() []*Account {
	if c.opts.Player == nil {
		return nil
	}
	var as []*Account
	for _, t := range c.opts.Player.Accounts() {
		if t.Cloud == "aws" {
			as = append(as, &Account{ID: t.ID, Name: t.Name, Partition: t.Partition, Region: t.Region})
		}
	}
	return as
}

// identify asks STS who the caller is. Every caller may.
func (c *Client) identify(ctx context.Context, a *Account) error {
	var out struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
		Arn     string `xml:"GetCallerIdentityResult>Arn"`
	}
	if err := c.ask(ctx, a, a.Region, c.sts, "GetCallerIdentity", nil, &out); err != nil {
		return err
	}
	p := partitionOfARN(out.Arn)
	if out.Account == "" || p == "" {
		return fmt.Errorf("sts GetCallerIdentity: the answer names no account")
	}
	a.ID, a.Caller, a.Partition = out.Account, out.Arn, p
	return nil
}

// alias is the account's alias, empty if it has none or may not be asked.
func (c *Client) alias(ctx context.Context, a *Account) string {
	var out struct {
		Aliases []string `xml:"ListAccountAliasesResult>AccountAliases>member"`
	}
	if err := c.ask(ctx, a, globalRegion, c.iam, "ListAccountAliases", nil, &out); err != nil || len(out.Aliases) == 0 {
		return ""
	}
	return out.Aliases[0]
}

// ask makes one of the calls by which accounts and regions are found.
func (c *Client) ask(ctx context.Context, a *Account, region string, svc *api.Service, op string, in map[string]any, out any) error {
	resp, err := c.Do(ctx, Request{Account: a, Region: region, Service: svc, Op: svc.Operations[op], Input: in})
	if err != nil {
		return err
	}
	defer resp.Release()
	if err := xml.Unmarshal(resp.Body, out); err != nil {
		return fmt.Errorf("%s %s: %w", svc.Name, op, err)
	}
	return nil
}

func partitionOfARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || parts[4] == "" {
		return ""
	}
	return parts[1]
}

func partitionOfRole(roles []AssumeRole) string {
	if len(roles) == 0 {
		return "aws"
	}
	return partitionOfARN(roles[0].RoleARN)
}

// The three calls by which accounts and regions are found are described here,
// because they are made whatever kinds are read.

func stsService() *api.Service {
	return discovery(&api.Service{
		Name: "sts", SDKID: "STS", EndpointPrefix: "sts", SigningName: "sts", Protocol: "query", APIVersion: "2011-06-15",
	}, "GetCallerIdentity", nil)
}

func iamService() *api.Service {
	return discovery(&api.Service{
		Name: "iam", SDKID: "IAM", EndpointPrefix: "iam", SigningName: "iam", Protocol: "query", APIVersion: "2010-05-08",
	}, "ListAccountAliases", nil)
}

func ec2Service() *api.Service {
	return discovery(&api.Service{
		Name: "ec2", SDKID: "EC2", EndpointPrefix: "ec2", SigningName: "ec2", Protocol: "ec2", APIVersion: "2016-11-15",
	}, "DescribeRegions", &api.Shape{
		Name: "DescribeRegionsRequest", Type: "structure",
		Members: []api.Member{{Name: "AllRegions", Shape: &api.Shape{Name: "Boolean", Type: "boolean"}}},
	})
}

func discovery(svc *api.Service, op string, in *api.Shape) *api.Service {
	svc.Signature = "v4"
	svc.Operations = map[string]*api.Operation{op: {Name: op, Method: "POST", URI: "/", Input: in}}
	return svc
}
