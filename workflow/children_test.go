package workflow_test

import (
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// zones fills Route 53 with zones that have two record sets each, with a TTL.
func (e *estate) zones(ttl int, ids ...string) {
	var zones []item
	for _, id := range ids {
		zones = append(zones, item{"Id": "/hostedzone/" + id, "Name": id + ".example.", "CallerReference": id})
	}
	e.Put(anywhere, "route53.ListHostedZones", zones...)
	e.Handle(anywhere, "route53.GetHostedZone", func(r *awsfake.Request) (map[string]any, error) {
		return item{"HostedZone": item{"Id": "/hostedzone/" + r.Text("Id"), "Name": r.Text("Id") + ".example.", "CallerReference": "x"}}, nil
	})
	e.Handle(anywhere, "route53.ListTagsForResources", func(r *awsfake.Request) (map[string]any, error) {
		var found []any
		for _, id := range r.Texts("ResourceIds") {
			found = append(found, item{"ResourceType": "hostedzone", "ResourceId": id, "Tags": tags("ann")})
		}
		return item{"ResourceTagSets": found}, nil
	})
	e.HandleList(anywhere, "route53.ListResourceRecordSets", func(r *awsfake.Request) (awsfake.List, error) {
		var l awsfake.List
		for _, host := range []string{"a.", "b."} {
			l.Items = append(l.Items, item{"Name": host + r.Text("HostedZoneId") + ".example.", "Type": "A", "TTL": ttl, "ResourceRecords": []any{item{"Value": "10.0.0.1"}}})
		}
		return l, nil
	})
}

const recordSets = "SELECT split_part(id, '.', 1), ttl FROM aws_route53_record_set"

func TestChildrenFollowTheirParents(t *testing.T) {
	fault := func(f awsfake.Fault) func(*estate) { return func(e *estate) { e.Inject(f) } }
	const scope = accountA + " global "
	for name, c := range map[string]struct {
		zones      []string // afterwards
		fault      func(*estate)
		incomplete []string
		parents    []string
		children   []string
	}{
		"all is read": {
			zones: []string{"Z1", "Z2", "Z3"}, parents: []string{"Z1", "Z2", "Z3"},
			children: []string{"Z1/a 2", "Z1/b 2", "Z2/a 2", "Z2/b 2", "Z3/a 2", "Z3/b 2"},
		},
		"a parent is gone": {
			zones: []string{"Z1", "Z3"}, parents: []string{"Z1", "Z3"},
			children: []string{"Z1/a 2", "Z1/b 2", "Z3/a 2", "Z3/b 2"},
		},
		"all parents are gone": {},
		"the children of one are denied": {
			zones: []string{"Z1", "Z2", "Z3"}, fault: fault(awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListResourceRecordSets", Resource: `"Z2"`}),
			incomplete: []string{scope + "aws_route53_record_set denied AccessDenied"},
			parents:    []string{"Z1", "Z2", "Z3"},
			children:   []string{"Z1/a 2", "Z1/b 2", "Z2/a 1", "Z2/b 1", "Z3/a 2", "Z3/b 2"},
		},
		"the children of one are denied on their second page": {
			zones: []string{"Z1", "Z2", "Z3"}, fault: fault(awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListResourceRecordSets", Resource: `t1+`, Times: 1}),
			incomplete: []string{scope + "aws_route53_record_set denied AccessDenied"},
			parents:    []string{"Z1", "Z2", "Z3"},
		},
		"one is denied and another gone": {
			zones: []string{"Z2", "Z3"}, fault: fault(awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListResourceRecordSets", Resource: `"Z2"`}),
			incomplete: []string{scope + "aws_route53_record_set denied AccessDenied"},
			parents:    []string{"Z2", "Z3"},
			children:   []string{"Z2/a 1", "Z2/b 1", "Z3/a 2", "Z3/b 2"},
		},
		"a parent goes while its children are read": {
			zones: []string{"Z1", "Z2", "Z3"}, fault: fault(awsfake.Fault{Kind: awsfake.Fail, Code: "NoSuchHostedZone", Status: 404, Op: "route53.ListResourceRecordSets", Resource: `"Z2"`}),
			parents:  []string{"Z1", "Z2", "Z3"},
			children: []string{"Z1/a 2", "Z1/b 2", "Z3/a 2", "Z3/b 2"},
		},
		"a parent goes while its details are read": {
			zones: []string{"Z1", "Z2", "Z3"}, fault: fault(awsfake.Fault{Kind: awsfake.Fail, Code: "NoSuchHostedZone", Status: 404, Op: "route53.GetHostedZone", Resource: `"Z2"`}),
			parents:  []string{"Z1", "Z3"},
			children: []string{"Z1/a 2", "Z1/b 2", "Z3/a 2", "Z3/b 2"},
		},
		"the parents are denied": {
			fault:      fault(awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListHostedZones"}),
			incomplete: []string{scope + "aws_route53_record_set denied AccessDenied", scope + "aws_route53_hosted_zone denied AccessDenied"},
			parents:    []string{"Z1", "Z2", "Z3"},
			children:   []string{"Z1/a 1", "Z1/b 1", "Z2/a 1", "Z2/b 1", "Z3/a 1", "Z3/b 1"},
		},
		"the parents are denied on their second page": {
			zones:      []string{"Z1", "Z3"},
			fault:      fault(awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListHostedZones", Resource: "t1+"}),
			incomplete: []string{scope + "aws_route53_record_set denied AccessDenied", scope + "aws_route53_hosted_zone denied AccessDenied"},
			parents:    []string{"Z1", "Z2", "Z3"},
			children:   []string{"Z1/a 2", "Z1/b 2", "Z2/a 1", "Z2/b 1", "Z3/a 1", "Z3/b 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, awsfake.Options{PageSize: 1}, "aws_route53_hosted_zone", "aws_route53_record_set")
			e.zones(1, "Z1", "Z2", "Z3")
			e.complete()
			e.zones(2, c.zones...)
			if c.fault != nil {
				c.fault(e)
			}
			e.incomplete(e.sync(), c.incomplete...)
			e.want("SELECT id FROM aws_route53_hosted_zone", c.parents...)
			if c.children != nil || c.parents == nil {
				e.want(recordSets, c.children...)
			} else {
				e.want("SELECT count(*) FROM aws_route53_record_set", "6")
			}
			e.whole()
			e.Heal()
			e.complete()
			want := []string{}
			for _, z := range c.zones {
				want = append(want, z+"/a 2", z+"/b 2")
			}
			e.want(recordSets, want...)
			e.whole()
		})
	}
}

// TestChildrenAloneAreReadForTheirParents selects a kind without the one it
// is listed for.
func TestChildrenAloneAreReadForTheirParents(t *testing.T) {
	e := newEstate(t, awsfake.Options{PageSize: 1}, "aws_route53_record_set")
	e.zones(1, "Z1", "Z2")
	e.complete()
	e.want(recordSets, "Z1/a 1", "Z1/b 1", "Z2/a 1", "Z2/b 1")
	e.zones(2, "Z2")
	e.complete()
	e.want(recordSets, "Z2/a 2", "Z2/b 2")
	e.want("SELECT DISTINCT kind FROM resources", "aws_route53_record_set")
	e.whole()
}
