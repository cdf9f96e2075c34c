package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/schema"
)

// globalRegion stands for the region of services that have none.
const globalRegion = "global"

// Regions are the account's regions to read, sorted: those that match the
// patterns (the account's own if there are none) and that are enabled. If the
// account may not be asked which are, they are the ones that every account of
// the partition has, and the problem says so. off are regions asked for by
// name that the account has not enabled.
func (c *Client) Regions(ctx context.Context, a *Account, patterns ...string) (on, off []string, problem *schema.Problem, err error) {
	if len(patterns) == 0 {
		patterns = a.Regions
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return nil, nil, nil, fmt.Errorf("aws: region pattern %q: %w", p, err)
		}
	}
	enabled, err := c.enabledRegions(ctx, a)
	if err != nil {
		var e *APIError
		if !errors.As(err, &e) || e.Credentials() {
			return nil, nil, nil, err
		}
		enabled = defaultRegions(a.Partition)
		for _, p := range patterns {
			if !isGlob(p) && !slices.Contains(enabled, p) {
				enabled = append(enabled, p)
			}
		}
		problem = &schema.Problem{
			Account: a.ID, Region: a.Region, Call: "DescribeRegions", Code: e.Code, Count: 1,
			Sample: "cannot see which regions are enabled; reading the partition's default regions: " + cmp.Or(e.Code, e.Message),
		}
	}
	if len(patterns) == 0 {
		slices.Sort(enabled)
		return enabled, nil, problem, nil
	}
	for _, p := range patterns {
		matched := false
		for _, r := range enabled {
			if ok, _ := path.Match(p, r); ok {
				matched = true
				on = append(on, r)
			}
		}
		if !matched && !isGlob(p) {
			off = append(off, p)
		}
	}
	if len(on) == 0 {
		return nil, nil, problem, fmt.Errorf("none of the regions asked for (%s) is enabled in account %s, whose regions are %s",
			strings.Join(patterns, ", "), a.ID, strings.Join(enabled, ", "))
	}
	slices.Sort(on)
	return slices.Compact(on), off, problem, nil
}

func (c *Client) enabledRegions(ctx context.Context, a *Account) ([]string, error) {
	var out struct {
		Regions []struct {
			Name  string `xml:"regionName"`
			OptIn string `xml:"optInStatus"`
		} `xml:"regionInfo>item"`
	}
	if err := c.ask(ctx, a, a.Region, c.ec2, "DescribeRegions", map[string]any{"AllRegions": true}, &out); err != nil {
		return nil, err
	}
	var names []string
	for _, r := range out.Regions {
		if r.Name != "" && r.OptIn != "not-opted-in" && partitionOf(r.Name) == a.Partition {
			names = append(names, r.Name)
		}
	}
	if len(names) == 0 {
		return nil, &APIError{
			Service: "ec2", Operation: "DescribeRegions", Account: a.ID, Region: a.Region,
			Status: http.StatusOK, Message: "the answer names no region", class: classUnusable,
		}
	}
	slices.Sort(names)
	return names, nil
}

func isGlob(p string) bool { return strings.ContainsAny(p, `*?[\`) }

// homeRegion is where the partition's global services are.
func homeRegion(partition string) string {
	if p := awsapi.PartitionOf(partition); p != nil {
		return p.Home
	}
	return "us-east-1"
}

// partitionOf is the partition of a region.
func partitionOf(region string) string {
	if p := awsapi.PartitionOf(region); p != nil {
		return p.Name
	}
	return "aws"
}

// defaultRegions are the regions that every account of the partition has. In
// aws those opened since March 2019 must be opted into; the older ones cannot
// be switched off, see
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html.
func defaultRegions(partition string) []string {
	if partition == "aws" {
		return []string{
			"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
			"ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
			"sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
		}
	}
	if p := awsapi.PartitionOf(partition); p != nil {
		return slices.Clone(p.Regions)
	}
	return nil
}

// optIn reports that accounts have the region only once they ask for it.
func optIn(region string) bool {
	return partitionOf(region) == "aws" && region != "" && region != globalRegion && !slices.Contains(defaultRegions("aws"), region)
}
