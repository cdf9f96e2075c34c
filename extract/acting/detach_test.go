package acting_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// ec2 makes a call of its own on the emulator and returns what stands between
// tags of the answer.
func ec2(t *testing.T, find, op string, params ...string) []string {
	t.Helper()
	form := url.Values{"Action": {op}, "Version": {"2016-11-15"}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	text := post(t, "ec2", form)
	var out []string
	for _, m := range regexp.MustCompile("<"+find+">([^<]*)</"+find+">").FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

func group(id string) action.Resource {
	return action.Resource{Cloud: "aws", Account: "123456789012", Region: region, Kind: "aws_ec2_security_group", ID: id}
}

// detach makes the calls that take the references of one to another away.
func detach(t *testing.T, r, to action.Resource, relation string) {
	t.Helper()
	c := amazon(t, r.Kind)
	calls, err := c.Calls(action.Detach, r, action.Args{To: &to, Relation: relation})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range calls {
		if _, err := c.Sweep(t.Context(), r, x, func(int) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRulesBetweenTwoGroupsAreTakenAway takes those in and out, and no others.
func TestRulesBetweenTwoGroupsAreTakenAway(t *testing.T) {
	amazon(t, "aws_ec2_security_group")
	vpc := ec2(t, "vpcId", "CreateVpc", "CidrBlock", "10.0.0.0/16")[0]
	ids := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		ids[name] = ec2(t, "groupId", "CreateSecurityGroup", "GroupName", name, "GroupDescription", name, "VpcId", vpc)[0]
	}
	for _, op := range []string{"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"} {
		for i, to := range []string{"b", "b", "c"} {
			port := []string{"22", "443", "80"}[i]
			ec2(t, "return", op, "GroupId", ids["a"], "IpPermissions.1.IpProtocol", "tcp", "IpPermissions.1.FromPort", port, "IpPermissions.1.ToPort", port, "IpPermissions.1.Groups.1.GroupId", ids[to])
		}
	}
	detach(t, group(ids["a"]), group(ids["b"]), "uses")
	rules := strings.Join(ec2(t, "groupId", "DescribeSecurityGroupRules", "Filter.1.Name", "group-id", "Filter.1.Value.1", ids["a"]), " ")
	if strings.Contains(rules, ids["b"]) || strings.Count(rules, ids["c"]) != 2 {
		t.Errorf("the rules name %s; b is %s, c is %s", rules, ids["b"], ids["c"])
	}
}

// TestSubnetLeavesItsTableOfRoutes takes away the one association.
func TestSubnetLeavesItsTableOfRoutes(t *testing.T) {
	amazon(t, "aws_ec2_route_table")
	vpc := ec2(t, "vpcId", "CreateVpc", "CidrBlock", "10.0.0.0/16")[0]
	table := ec2(t, "routeTableId", "CreateRouteTable", "VpcId", vpc)[0]
	var subnets []string
	for _, cidr := range []string{"10.0.1.0/24", "10.0.2.0/24"} {
		s := ec2(t, "subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", cidr)[0]
		ec2(t, "return", "AssociateRouteTable", "RouteTableId", table, "SubnetId", s)
		subnets = append(subnets, s)
	}
	r := action.Resource{Cloud: "aws", Account: "123456789012", Region: region, Kind: "aws_ec2_route_table", ID: table}
	detach(t, r, action.Resource{Kind: "aws_ec2_subnet", ID: subnets[0]}, "attached_to")
	if left := ec2(t, "subnetId", "DescribeRouteTables", "RouteTableId.1", table); len(left) != 1 || left[0] != subnets[1] {
		t.Errorf("the subnets are %s, want %s", left, subnets[1])
	}
}

// post makes a call of the query protocol.
func post(t *testing.T, service string, form url.Values) string {
	t.Helper()
	return request(t, http.MethodPost, service, "/", form.Encode())
}
