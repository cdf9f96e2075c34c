package workflow_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// shuffled is a copy in another order.
func shuffled[T any](rng *rand.Rand, list []T) []T {
	out := slices.Clone(list)
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// TestUnchangedEstateMakesNoHistory syncs an estate 24 times that answers its
// lists and sets in another order each time, while its counters move.
func TestUnchangedEstateMakesNoHistory(t *testing.T) {
	e := newEstate(t, awsfake.Options{PageSize: 7}, "aws_ec2_instance", "aws_ec2_subnet", "aws_ec2_vpc", "aws_s3_bucket", "aws_sqs_queue",
		"aws_route53_hosted_zone", "aws_route53_record_set")
	setupS3(e)
	e.zones("", 1, "Z1", "Z2")
	rng := rand.New(rand.NewPCG(1, 2))
	var sets []any
	for _, k := range []string{"a", "b", "c", "d", "e"} {
		sets = append(sets, item{"Key": k, "Value": k})
	}
	e.Handle(anywhere, "s3.GetBucketTagging", func(*awsfake.Request) (map[string]any, error) {
		return item{"TagSet": shuffled(rand.New(rand.NewPCG(rand.Uint64(), 1)), sets)}, nil
	})
	e.Handle(anywhere, "s3.GetBucketAcl", func(*awsfake.Request) (map[string]any, error) {
		var grants []any
		for _, p := range []string{"READ", "WRITE", "READ_ACP"} {
			grants = append(grants, item{"Permission": p, "Grantee": item{"Type": "CanonicalUser", "ID": "x"}})
		}
		return item{"Grants": shuffled(rand.New(rand.NewPCG(rand.Uint64(), 1)), grants)}, nil
	})
	e.Handle(anywhere, "sqs.GetQueueAttributes", func(*awsfake.Request) (map[string]any, error) {
		return item{"Attributes": item{"CreatedTimestamp": fmt.Sprint(born.Unix()), "VisibilityTimeout": "30", "ApproximateNumberOfMessages": fmt.Sprint(1 + rand.IntN(1e6))}}, nil
	})
	e.answer("sqs.ListQueueTags", item{})
	put := func(round int) {
		for _, region := range []string{east, west} {
			p := at("", region)
			var instances []any
			var reservations, subnets, vpcs, buckets []item
			var queues []any
			for i := range 20 {
				end := fmt.Sprint(region, i)
				vpcs = append(vpcs, item{
					"VpcId": "vpc-" + end, "OwnerId": accountA, "Tags": shuffled(rng, sets), "CidrBlock": "10.0.0.0/16",
					"CidrBlockAssociationSet": shuffled(rng, []any{item{"CidrBlock": "10.0.0.0/16"}, item{"CidrBlock": "10.1.0.0/16"}, item{"CidrBlock": "10.2.0.0/16"}}),
				})
				subnets = append(subnets, item{"SubnetId": "subnet-" + end, "VpcId": "vpc-" + end, "OwnerId": accountA, "AvailableIpAddressCount": 250 - round})
				instances = append(instances, item{
					"InstanceId": "i-" + end, "LaunchTime": born, "VpcId": "vpc-" + end, "SubnetId": "subnet-" + end, "Tags": shuffled(rng, sets),
					"State":          item{"Name": "running", "Code": 16},
					"SecurityGroups": shuffled(rng, []any{item{"GroupId": "sg-1", "GroupName": "a"}, item{"GroupId": "sg-2", "GroupName": "b"}, item{"GroupId": "sg-3", "GroupName": "c"}}),
				})
				queues = append(queues, e.URL+"/"+accountA+"/q-"+end)
				if i < 3 {
					buckets = append(buckets, item{"Name": "bucket-" + end, "CreationDate": born, "BucketRegion": region})
				}
			}
			instances = shuffled(rng, instances)
			for i := 0; i < len(instances); i += 5 {
				reservations = append(reservations, item{"ReservationId": "r-1", "OwnerId": accountA, "Instances": instances[i : i+5]})
			}
			e.Put(p, "ec2.DescribeVpcs", shuffled(rng, vpcs)...)
			e.Put(p, "ec2.DescribeSubnets", shuffled(rng, subnets)...)
			e.Put(p, "ec2.DescribeInstances", reservations...)
			e.Put(p, "s3.ListBuckets", shuffled(rng, buckets)...)
			e.PutList(p, "sqs.ListQueues", awsfake.List{Items: shuffled(rng, queues)})
		}
	}
	var rows, edges []string
	var size int64
	for round := range 24 {
		put(round)
		r := e.complete()
		for _, k := range r.Sinks[0].Summary.Kinds {
			if round > 0 && k.New+k.Changed+k.Gone+k.Unread > 0 {
				t.Errorf("sync %d: %+v", round+1, k)
			}
		}
		fi, err := os.Stat(e.path)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case round == 0:
			rows, edges = e.rows(everyRow), e.rows("SELECT * FROM edges")
			if len(rows) != 2*(4*20+3)+6 {
				t.Fatalf("%d rows", len(rows))
			}
		case round == 2:
			size = fi.Size()
		case round > 2 && fi.Size() > size*4/3: // blocks that the moving counters free come and go
			t.Errorf("sync %d: the file has grown from %d to %d bytes", round+1, size, fi.Size())
		}
		if t.Failed() {
			return
		}
	}
	e.want(everyRow, rows...)
	e.want("SELECT * FROM edges", edges...)
	e.want("SELECT count(*) FROM resource_history", "0")
	e.want("SELECT count(*), max(available_ip_address_count) FROM aws_ec2_subnet", "40 227")
	e.want("SELECT DISTINCT tags, _unread FROM aws_sqs_queue", "{} NULL")
	e.want("SELECT count(DISTINCT approximate_number_of_messages) > 1 FROM aws_sqs_queue", "true")
	e.whole()
}
