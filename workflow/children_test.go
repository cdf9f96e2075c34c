package workflow_test

import (
	"fmt"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// zones fills an account with zones that have two record sets each, with a TTL.
func (e *estate) zones(account string, ttl int, ids ...string) {
	p := at(account, "")
	var zones []item
	for _, id := range ids {
		zones = append(zones, item{"Id": "/hostedzone/" + id, "Name": id + ".example.", "CallerReference": id})
	}
	e.Put(p, "route53.ListHostedZones", zones...)
	e.Handle(p, "route53.GetHostedZone", func(r *awsfake.Request) (map[string]any, error) {
		return item{"HostedZone": item{"Id": "/hostedzone/" + r.Text("Id"), "Name": r.Text("Id") + ".example.", "CallerReference": "x"}}, nil
	})
	e.Handle(p, "route53.ListTagsForResources", func(r *awsfake.Request) (map[string]any, error) {
		var found []any
		for _, id := range r.Texts("ResourceIds") {
			found = append(found, item{"ResourceType": "hostedzone", "ResourceId": id, "Tags": tags("ann")})
		}
		return item{"ResourceTagSets": found}, nil
	})
	e.HandleList(p, "route53.ListResourceRecordSets", func(r *awsfake.Request) (awsfake.List, error) {
		var l awsfake.List
		for _, host := range []string{"a.", "b."} {
			l.Items = append(l.Items, item{"Name": host + r.Text("HostedZoneId") + ".example.", "Type": "A", "TTL": ttl, "ResourceRecords": []any{item{"Value": "10.0.0.1"}}})
		}
		return l, nil
	})
}

const recordSets = "SELECT split_part(id, '.', 1), ttl FROM aws_route53_record_set"

// TestChildrenFollowTheirParents has an account for each case; all of them
// have had the zones Z1, Z2 and Z3 with a TTL of 1, which is 2 afterwards.
func TestChildrenFollowTheirParents(t *testing.T) {
	const zone, set = "aws_route53_hosted_zone", "aws_route53_record_set"
	cases := map[string]struct {
		zones      []string // afterwards
		fault      awsfake.Fault
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
			zones: []string{"Z1", "Z2", "Z3"}, fault: awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListResourceRecordSets", Resource: `"Z2"`},
			incomplete: []string{set},
			parents:    []string{"Z1", "Z2", "Z3"},
			children:   []string{"Z1/a 2", "Z1/b 2", "Z2/a 1", "Z2/b 1", "Z3/a 2", "Z3/b 2"},
		},
		"the children of one are denied on their second page": {
			zones: []string{"Z1", "Z2", "Z3"}, fault: awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListResourceRecordSets", Resource: `t1+`, Times: 1},
			incomplete: []string{set},
			parents:    []string{"Z1", "Z2", "Z3"},
		},
		"one is denied and another gone": {
			zones: []string{"Z2", "Z3"}, fault: awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListResourceRecordSets", Resource: `"Z2"`},
			incomplete: []string{set},
			parents:    []string{"Z2", "Z3"},
			children:   []string{"Z2/a 1", "Z2/b 1", "Z3/a 2", "Z3/b 2"},
		},
		"a parent goes while its children are read": {
			zones: []string{"Z1", "Z2", "Z3"}, fault: awsfake.Fault{Kind: awsfake.Fail, Code: "NoSuchHostedZone", Status: 404, Op: "route53.ListResourceRecordSets", Resource: `"Z2"`},
			parents:  []string{"Z1", "Z2", "Z3"},
			children: []string{"Z1/a 2", "Z1/b 2", "Z3/a 2", "Z3/b 2"},
		},
		"a parent goes while its details are read": {
			zones: []string{"Z1", "Z2", "Z3"}, fault: awsfake.Fault{Kind: awsfake.Fail, Code: "NoSuchHostedZone", Status: 404, Op: "route53.GetHostedZone", Resource: `"Z2"`},
			parents:  []string{"Z1", "Z3"},
			children: []string{"Z1/a 2", "Z1/b 2", "Z3/a 2", "Z3/b 2"},
		},
		"the parents are denied": {
			fault:      awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListHostedZones"},
			incomplete: []string{set, zone},
			parents:    []string{"Z1", "Z2", "Z3"},
			children:   []string{"Z1/a 1", "Z1/b 1", "Z2/a 1", "Z2/b 1", "Z3/a 1", "Z3/b 1"},
		},
		"the parents are denied on their second page": {
			zones:      []string{"Z1", "Z3"},
			fault:      awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListHostedZones", Resource: "t1+"},
			incomplete: []string{set, zone},
			parents:    []string{"Z1", "Z2", "Z3"},
			children:   []string{"Z1/a 2", "Z1/b 2", "Z2/a 1", "Z2/b 1", "Z3/a 1", "Z3/b 1"},
		},
	}
	var accounts []awsfake.Account
	for name := range cases {
		accounts = append(accounts, awsfake.Account{ID: fmt.Sprint(100000000000 + len(accounts)), Name: name})
	}
	e := newEstate(t, awsfake.Options{PageSize: 1, Accounts: accounts}, zone, set)
	e.accounts = nil
	for _, a := range accounts {
		e.accounts = append(e.accounts, aws.AccountConfig{Profile: a.Name})
		e.zones(a.ID, 1, "Z1", "Z2", "Z3")
	}
	e.complete()
	var incomplete []string
	for _, a := range accounts {
		c := cases[a.Name]
		e.zones(a.ID, 2, c.zones...)
		if c.fault.Account = a.ID; c.fault.Kind != 0 {
			e.Inject(c.fault)
		}
		for _, kind := range c.incomplete {
			incomplete = append(incomplete, a.ID+" global "+kind+" denied AccessDenied")
		}
	}
	e.incomplete(e.sync(), incomplete...)
	e.whole()
	of := func(account string) string { return " WHERE _scope LIKE 'aws/" + account + "/%'" }
	for _, a := range accounts {
		t.Run(a.Name, func(t *testing.T) {
			e := *e
			e.t = t
			c := cases[a.Name]
			e.want("SELECT id FROM aws_route53_hosted_zone"+of(a.ID), c.parents...)
			if c.children != nil || c.parents == nil {
				e.want(recordSets+of(a.ID), c.children...)
			} else {
				e.want("SELECT count(*) FROM aws_route53_record_set"+of(a.ID), "6")
			}
		})
	}
	e.Heal()
	e.complete()
	e.whole()
	for _, a := range accounts {
		want := []string{}
		for _, z := range cases[a.Name].zones {
			want = append(want, z+"/a 2", z+"/b 2")
		}
		e.want(recordSets+of(a.ID), want...)
	}
}

// TestChildrenAloneAreReadForTheirParents selects a kind without the one it
// is listed for.
func TestChildrenAloneAreReadForTheirParents(t *testing.T) {
	e := newEstate(t, awsfake.Options{PageSize: 1}, "aws_route53_record_set")
	e.zones("", 1, "Z1", "Z2")
	e.complete()
	e.want(recordSets, "Z1/a 1", "Z1/b 1", "Z2/a 1", "Z2/b 1")
	e.zones("", 2, "Z2")
	e.complete()
	e.want(recordSets, "Z2/a 2", "Z2/b 2")
	e.want("SELECT DISTINCT kind FROM resources", "aws_route53_record_set")
	e.whole()
}

// TestChildrenOfManyParentsKeepTheirScopes reads more parents than are read at
// once, so that rows of several share a batch.
func TestChildrenOfManyParentsKeepTheirScopes(t *testing.T) {
	e := newEstate(t, awsfake.Options{PageSize: 50}, "aws_route53_hosted_zone", "aws_route53_record_set")
	var ids, rows []string
	for i := range 40 {
		id := fmt.Sprintf("Z%02d", i)
		ids, rows = append(ids, id), append(rows, id+"/a 1", id+"/b 1")
	}
	const strays = "FROM aws_route53_record_set s JOIN aws_route53_hosted_zone z ON starts_with(s.id, z.id) WHERE right(s._scope, 36) <> z._id::VARCHAR"
	e.zones("", 1, ids...)
	for range 2 {
		e.complete()
		e.want(recordSets, rows...)
		e.want("SELECT s.id, s._scope " + strays)
		e.want("SELECT * FROM sightings")
		e.want("SELECT count(*) FROM edges WHERE _scope NOT IN (SELECT _scope FROM resources)", "0")
	}

	// One in four is denied, one in four has no records any more.
	var incomplete, kept []string
	for i, id := range ids {
		switch i % 4 {
		case 0:
			e.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "route53.ListResourceRecordSets", Resource: id})
			incomplete = append(incomplete, accountA+" global aws_route53_record_set denied AccessDenied")
		case 1:
			e.Inject(awsfake.Fault{Kind: awsfake.Fail, Code: "NoSuchHostedZone", Status: 404, Op: "route53.ListResourceRecordSets", Resource: id})
			continue
		}
		kept = append(kept, rows[2*i], rows[2*i+1])
	}
	e.incomplete(e.sync(), incomplete...)
	e.want(recordSets, kept...)
	e.want("SELECT s.id, s._scope " + strays)
	e.whole()
}
