package workflow_test

import (
	"fmt"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// TestWrongAnswerLosesAndDoublesNoRow spoils the second of four pages, for
// good and then once, in each account in another way.
func TestWrongAnswerLosesAndDoublesNoRow(t *testing.T) {
	services := map[string]struct {
		kind, op string
		item     func(id string) item
		more     bool // the answer says whether there is more
	}{
		"ec2": {"aws_ec2_volume", "ec2.DescribeVolumes", func(id string) item { return volume(id, 1) }, false},
		"query": {"aws_iam_instance_profile", "iam.ListInstanceProfiles", func(id string) item {
			return item{"InstanceProfileId": id, "InstanceProfileName": id, "Arn": "arn:aws:iam::" + accountA + ":instance-profile/" + id, "CreateDate": born, "Path": "/", "Roles": []any{}}
		}, true},
		"rest-xml": {"aws_route53_health_check", "route53.ListHealthChecks", func(id string) item {
			return item{"Id": id, "CallerReference": id, "HealthCheckConfig": item{"Type": "HTTP"}, "HealthCheckVersion": 1}
		}, true},
		"rest-json": {"aws_apigateway_rest_api", "apigateway.GetRestApis", func(id string) item { return item{"id": id, "name": "api"} }, false},
		"json": {"aws_kms_key", "kms.ListKeys", func(id string) item {
			return item{"KeyId": id, "KeyArn": "arn:aws:kms:us-east-1:" + accountA + ":key/" + id}
		}, true},
	}
	faults := map[string]struct {
		fault awsfake.Fault
		lasts bool // it is not a thing that a second attempt can mend
	}{
		"truncated":     {awsfake.Fault{Kind: awsfake.Truncate}, true},
		"trailing":      {awsfake.Fault{Kind: awsfake.Garbage}, true},
		"proxy page":    {awsfake.Fault{Kind: awsfake.HTML}, false},
		"error in 200":  {awsfake.Fault{Kind: awsfake.Error200}, false},
		"no body":       {awsfake.Fault{Kind: awsfake.EmptyBody}, true},
		"reset":         {awsfake.Fault{Kind: awsfake.Reset, After: 150}, false},
		"same token":    {awsfake.Fault{Kind: awsfake.RepeatToken}, true},
		"missing token": {awsfake.Fault{Kind: awsfake.MissingToken}, true},
	}
	accounts := []awsfake.Account{}
	named := map[string]string{} // fault -> account
	for name := range faults {
		id := fmt.Sprint(100000000000 + len(accounts))
		named[name] = id
		accounts = append(accounts, awsfake.Account{ID: id, Name: id})
	}
	for protocol, s := range services {
		t.Run(protocol, func(t *testing.T) {
			e := newEstate(t, awsfake.Options{PageSize: 1, Accounts: accounts, Regions: []awsfake.Region{{Name: east}}}, s.kind)
			e.accounts = nil
			setupJSON(e)
			e.answer("kms.DescribeKey", item{"KeyMetadata": item{"KeyState": "Enabled"}})
			e.Handle(anywhere, "route53.ListTagsForResources", func(r *awsfake.Request) (map[string]any, error) {
				var found []any
				for _, id := range r.Texts("ResourceIds") {
					found = append(found, item{"ResourceType": "healthcheck", "ResourceId": id, "Tags": tags("ann")})
				}
				return item{"ResourceTagSets": found}, nil
			})
			list := func(account string, n int) {
				var items []item
				for i := range n {
					items = append(items, s.item(fmt.Sprint(account, "-", i)))
				}
				e.Put(at(account, ""), s.op, items...)
			}
			inject := func(times int) (always, lasting []string) {
				for name, account := range named {
					f := faults[name]
					if f.fault.Kind == awsfake.MissingToken && !s.more {
						continue // the end of the list, as far as anybody can tell
					}
					f.fault.Op, f.fault.Account, f.fault.Resource, f.fault.Times = s.op, account, "t1+", times
					e.Inject(f.fault)
					always = append(always, account)
					if f.lasts {
						lasting = append(lasting, account)
					}
				}
				return always, lasting
			}
			failed := func(r *workflow.Report, accounts []string) {
				t.Helper()
				got := []string{}
				for _, s := range r.Incomplete {
					got = append(got, s.Scope.Account)
					if s.State != schema.Failed || s.Error == "" {
						t.Errorf("%+v, want it failed for a reason", s)
					}
				}
				if missing, extra := difference(accounts, got); len(missing)+len(extra) > 0 {
					t.Errorf("of the accounts %v %v are complete and %v are not", named, missing, extra)
				}
			}
			for _, account := range named {
				e.accounts = append(e.accounts, aws.AccountConfig{Profile: account})
				list(account, 4)
			}
			e.complete()
			all := e.rows("SELECT _id, id FROM " + s.kind)
			if len(all) != 4*len(named) {
				t.Fatalf("%d rows", len(all))
			}

			// The lists are shorter now: what seems complete would lose a row.
			always, _ := inject(0)
			for _, account := range always {
				list(account, 3)
			}
			failed(e.sync(), always)
			e.want("SELECT _id, id FROM "+s.kind, all...)
			e.Heal()

			for _, account := range named {
				list(account, 4)
			}
			_, lasting := inject(1)
			failed(e.sync(), lasting)
			e.want("SELECT _id, id FROM "+s.kind, all...)
			e.want("SELECT count(*) FROM resource_history", "0")
			e.want("SELECT * FROM problems")
			e.whole()
		})
	}
}
