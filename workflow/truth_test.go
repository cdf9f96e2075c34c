package workflow_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// truth is what an estate must come to.
type truth struct {
	rows, edges []string
}

// row notes a resource; its owner is tagged, its date is left out if zero.
func (w *truth) row(kind, id, account, region string, created time.Time, owner string) {
	at := "NULL"
	if !created.IsZero() {
		at = created.UTC().Format("2006-01-02 15:04:05+00")
	}
	tags := "NULL"
	if owner != "" {
		tags = "{owner=" + owner + "}"
	}
	w.rows = append(w.rows, fmt.Sprint(kind, " ", id, " ", account, " ", region, " ", at, " ", tags))
}

func (w *truth) edge(fromKind, from, relation, toKind, to string) {
	w.edges = append(w.edges, fmt.Sprint(fromKind, " ", from, " ", relation, " ", toKind, " ", to))
}

const (
	allRows  = "SELECT kind, id, account, region, created_at, tags FROM resources"
	allEdges = `SELECT f.kind, f.id, relation, coalesce(t.kind, to_kind), coalesce(t.id, to_ref || ' ' || resolution) FROM edges e
		LEFT JOIN resources f ON f._id = from_id LEFT JOIN resources t ON t._id = to_id`
)

// perPlace is how many of each there are in a place.
const perPlace = 3

// protocolCase is an estate of services that speak one protocol. put fills a
// region of an account, global is called once an account.
type protocolCase struct {
	kinds  []string
	setup  func(e *estate)
	put    func(e *estate, w *truth, account, region string)
	global func(e *estate, w *truth, account string)
}

// TestSyncEqualsTheTruth reads two accounts in three regions, one item a
// page, while every fifth call is throttled.
func TestSyncEqualsTheTruth(t *testing.T) {
	for name, c := range map[string]protocolCase{
		"ec2":       {kinds: []string{"aws_ec2_instance", "aws_ec2_subnet", "aws_ec2_volume", "aws_ec2_vpc"}, put: putEC2},
		"query":     {kinds: []string{"aws_iam_role", "aws_iam_instance_profile", "aws_sns_topic", "aws_rds_db_instance"}, put: putQuery, global: putIAM},
		"rest-xml":  {kinds: []string{"aws_s3_bucket", "aws_route53_hosted_zone", "aws_route53_record_set"}, setup: setupS3, put: putS3, global: putRoute53},
		"rest-json": {kinds: []string{"aws_lambda_function", "aws_eks_cluster", "aws_eks_nodegroup", "aws_apigateway_rest_api", "aws_apigateway_resource"}, setup: setupRestJSON, put: putRestJSON},
		"json":      {kinds: []string{"aws_dynamodb_table", "aws_ecs_cluster", "aws_ecs_service", "aws_sqs_queue", "aws_kms_key"}, setup: setupJSON, put: putJSON},
	} {
		t.Run(name, func(t *testing.T) {
			regions := []string{east, west, south}
			e := newEstate(t, awsfake.Options{PageSize: 1, Regions: []awsfake.Region{{Name: east}, {Name: west}, {Name: south}}}, c.kinds...)
			e.accounts = []aws.AccountConfig{{Profile: "a"}, {Profile: "b"}}
			e.client.MaxAttempts = 10
			if c.setup != nil {
				c.setup(e)
			}
			var w truth
			for _, account := range []string{accountA, accountB} {
				if c.global != nil {
					c.global(e, &w, account)
				}
				for _, region := range regions {
					c.put(e, &w, account, region)
				}
			}
			e.Inject(awsfake.Fault{Kind: awsfake.Throttle, Every: 5})
			r := e.complete()
			e.want(allRows, w.rows...)
			e.want(allEdges, w.edges...)
			e.whole()
			if r.Rows != int64(len(w.rows)) {
				t.Errorf("the report says %d rows, there are %d", r.Rows, len(w.rows))
			}
			e.complete()
			e.want(allRows, w.rows...)
			e.want("SELECT count(*) FROM resource_history", "0")
			e.want("SELECT count(DISTINCT _sync_id) FROM resources", "1")
		})
	}
}

// owner is who a thing of an account in a region belongs to, in its tags.
func owner(account, region string) string { return region + "/" + account[:1] }

func putEC2(e *estate, w *truth, account, region string) {
	p, own := at(account, region), owner(account, region)
	var vpcs, subnets, volumes, reservations []item
	for i := range perPlace {
		end := fmt.Sprint(account[:1], region, i)
		v, s, vol := "vpc-"+end, "subnet-"+end, "vol-"+end
		network := vpc(v, account)
		network["Tags"] = tags(own)
		vpcs = append(vpcs, network)
		w.row("aws_ec2_vpc", v, account, region, time.Time{}, own)

		subnets = append(subnets, item{
			"SubnetId": s, "VpcId": v, "CidrBlock": "10.0.1.0/24", "OwnerId": account, "Tags": tags(own),
			"SubnetArn": "arn:aws:ec2:" + region + ":" + account + ":subnet/" + s,
		})
		w.row("aws_ec2_subnet", s, account, region, time.Time{}, own)
		w.edge("aws_ec2_subnet", s, "in", "aws_ec2_vpc", v)

		disk := volume(vol, 8+i)
		disk["CreateTime"], disk["Tags"] = born.Add(time.Duration(i)*time.Second), tags(own)
		volumes = append(volumes, disk)
		w.row("aws_ec2_volume", vol, account, region, born.Add(time.Duration(i)*time.Second), own)

		var instances []any
		for j := range 2 {
			id := fmt.Sprint("i-", end, j)
			instances = append(instances, item{
				"InstanceId": id, "InstanceType": "m5.large", "LaunchTime": born.Add(time.Duration(j) * time.Hour), "VpcId": v, "SubnetId": s,
				"State": item{"Name": "running", "Code": 16}, "Tags": tags(own),
				"BlockDeviceMappings": []any{item{"DeviceName": "/dev/xvda", "Ebs": item{"VolumeId": vol}}},
			})
			w.row("aws_ec2_instance", id, account, region, born.Add(time.Duration(j)*time.Hour), own)
			w.edge("aws_ec2_instance", id, "in", "aws_ec2_vpc", v)
			w.edge("aws_ec2_instance", id, "in", "aws_ec2_subnet", s)
			w.edge("aws_ec2_instance", id, "uses", "aws_ec2_volume", vol)
			w.edge("aws_ec2_instance", id, "uses", "aws_ec2_instance_type", "m5.large not_collected")
		}
		reservations = append(reservations, item{"ReservationId": "r-" + end, "OwnerId": account, "Instances": instances})
	}
	e.Put(p, "ec2.DescribeVpcs", vpcs...)
	e.Put(p, "ec2.DescribeSubnets", subnets...)
	e.Put(p, "ec2.DescribeVolumes", volumes...)
	e.Put(p, "ec2.DescribeInstances", reservations...)
}

func putIAM(e *estate, w *truth, account string) {
	p, own := at(account, ""), owner(account, "global")
	var roles, profiles []item
	for i := range perPlace {
		end := fmt.Sprint(account[:1], i)
		role := item{
			"RoleId": "AROA" + end, "RoleName": "role-" + end, "Path": "/", "CreateDate": born, "Tags": tags(own),
			"Arn":                      "arn:aws:iam::" + account + ":role/role-" + end,
			"AssumeRolePolicyDocument": url.QueryEscape(`{"Version":"2012-10-17","Statement":[]}`),
		}
		roles = append(roles, role)
		w.row("aws_iam_role", "AROA"+end, account, "global", born, own)
		profiles = append(profiles, item{
			"InstanceProfileId": "AIPA" + end, "InstanceProfileName": "profile-" + end, "Path": "/", "CreateDate": born.AddDate(0, 0, 1),
			"Arn": "arn:aws:iam::" + account + ":instance-profile/profile-" + end, "Roles": []any{role},
		})
		w.row("aws_iam_instance_profile", "AIPA"+end, account, "global", born.AddDate(0, 0, 1), own)
		w.edge("aws_iam_instance_profile", "AIPA"+end, "assumes", "aws_iam_role", "AROA"+end)
	}
	items := make([]any, len(roles))
	for i, r := range roles {
		items[i] = r
	}
	e.PutList(p, "iam.GetAccountAuthorizationDetails", awsfake.List{Items: items, Path: "RoleDetailList"})
	e.Put(p, "iam.ListInstanceProfiles", profiles...)
	e.Put(p, "iam.ListInstanceProfileTags", item{"Key": "owner", "Value": own})
}

func putQuery(e *estate, w *truth, account, region string) {
	p, own := at(account, region), owner(account, region)
	var topics, instances []item
	for i := range perPlace {
		end := fmt.Sprint(account[:1], region, i)
		arn := "arn:aws:sns:" + region + ":" + account + ":topic-" + end
		topics = append(topics, item{"TopicArn": arn})
		w.row("aws_sns_topic", arn, account, region, time.Time{}, own)

		db := item{
			"DbiResourceId": "db-" + end, "DBInstanceIdentifier": "name-" + end, "InstanceCreateTime": born, "TagList": tags(own),
			"DBInstanceArn": "arn:aws:rds:" + region + ":" + account + ":db:name-" + end, "Engine": "postgres", "AllocatedStorage": 20,
		}
		if i > 0 {
			db["ReadReplicaSourceDBInstanceIdentifier"] = instances[0]["DBInstanceArn"]
			w.edge("aws_rds_db_instance", "db-"+end, "created_from", "aws_rds_db_instance", fmt.Sprint("db-", account[:1], region, 0))
		}
		instances = append(instances, db)
		w.row("aws_rds_db_instance", "db-"+end, account, region, born, own)
	}
	e.Put(p, "sns.ListTopics", topics...)
	e.Handle(p, "sns.GetTopicAttributes", func(r *awsfake.Request) (map[string]any, error) {
		return item{"Attributes": item{"TopicArn": r.Text("TopicArn"), "DisplayName": "topic", "SubscriptionsConfirmed": "2"}}, nil
	})
	e.Put(p, "sns.ListTagsForResource", item{"Key": "owner", "Value": own})
	e.Put(p, "rds.DescribeDBInstances", instances...)
}

// setupS3 lets buckets have nothing but tags.
func setupS3(e *estate) {
	for op, code := range map[string]string{
		"GetBucketEncryption": "ServerSideEncryptionConfigurationNotFoundError", "GetBucketLifecycleConfiguration": "NoSuchLifecycleConfiguration",
		"GetBucketPolicy": "NoSuchBucketPolicy", "GetPublicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
	} {
		e.refuse("s3."+op, code, 404)
	}
	e.answer("s3.GetBucketVersioning", item{"Status": "Enabled"})
	e.answer("s3.GetBucketLogging", item{})
	e.answer("s3.GetBucketAcl", item{"Owner": item{"ID": "owner"}, "Grants": []any{}})
}

func putS3(e *estate, w *truth, account, region string) {
	p, own := at(account, region), owner(account, region)
	var buckets []item
	for i := range perPlace {
		name := fmt.Sprint("bucket-", account[:1], region, i)
		buckets = append(buckets, item{"Name": name, "CreationDate": born, "BucketRegion": region})
		w.row("aws_s3_bucket", name, account, region, born, own)
	}
	e.Put(p, "s3.ListBuckets", buckets...)
	e.Handle(p, "s3.GetBucketTagging", func(*awsfake.Request) (map[string]any, error) { return item{"TagSet": tags(own)}, nil })
}

func putRoute53(e *estate, w *truth, account string) {
	p, own := at(account, ""), owner(account, "global")
	var zones []item
	sets := map[string][]any{}
	for i := range perPlace {
		id := fmt.Sprint("Z", account[:1], i)
		name := id + ".example."
		zones = append(zones, item{"Id": "/hostedzone/" + id, "Name": name, "CallerReference": id, "Config": item{"PrivateZone": false}, "ResourceRecordSetCount": 2})
		w.row("aws_route53_hosted_zone", id, account, "global", time.Time{}, own)
		for _, host := range []string{"a.", "b."} {
			sets[id] = append(sets[id], item{"Name": host + name, "Type": "A", "TTL": 300, "ResourceRecords": []any{item{"Value": "10.0.0.1"}}})
			set := id + "/" + host + name + "/A"
			w.row("aws_route53_record_set", set, account, "global", time.Time{}, "")
			w.edge("aws_route53_record_set", set, "in", "aws_route53_hosted_zone", id)
		}
	}
	e.Put(p, "route53.ListHostedZones", zones...)
	e.Handle(p, "route53.GetHostedZone", func(r *awsfake.Request) (map[string]any, error) {
		return item{"HostedZone": item{"Id": "/hostedzone/" + r.Text("Id"), "Name": r.Text("Id") + ".example.", "CallerReference": "x"}}, nil
	})
	e.Handle(p, "route53.ListTagsForResources", func(r *awsfake.Request) (map[string]any, error) {
		var found []any
		for _, id := range r.Texts("ResourceIds") {
			found = append(found, item{"ResourceType": "hostedzone", "ResourceId": id, "Tags": tags(own)})
		}
		return item{"ResourceTagSets": found}, nil
	})
	e.HandleList(p, "route53.ListResourceRecordSets", func(r *awsfake.Request) (awsfake.List, error) {
		return awsfake.List{Items: sets[r.Text("HostedZoneId")]}, nil
	})
}

func setupRestJSON(e *estate) {
	e.refuse("lambda.GetPolicy", "ResourceNotFoundException", 404)
	e.refuse("lambda.GetFunctionUrlConfig", "ResourceNotFoundException", 404)
}

func putRestJSON(e *estate, w *truth, account, region string) {
	p, own := at(account, region), owner(account, region)
	arn := func(service, rest string) string {
		return "arn:aws:" + service + ":" + region + ":" + account + ":" + rest
	}
	var functions, apis []item
	var clusters []any
	for i := range perPlace {
		end := fmt.Sprint(account[:1], region, i)
		f := arn("lambda", "function:f-"+end)
		functions = append(functions, item{"FunctionArn": f, "FunctionName": "f-" + end, "Runtime": "go", "LastModified": "2026-01-15T08:00:00.000+0000"})
		w.row("aws_lambda_function", f, account, region, time.Time{}, own)

		clusters = append(clusters, "c-"+end)
		w.row("aws_eks_cluster", "c-"+end, account, region, born, own)
		for _, n := range []string{"n0", "n1"} {
			w.row("aws_eks_nodegroup", "c-"+end+"/"+n, account, region, born, own)
			w.edge("aws_eks_nodegroup", "c-"+end+"/"+n, "member_of", "aws_eks_cluster", "c-"+end)
		}

		apis = append(apis, item{"id": "api" + end, "name": "api " + end, "createdDate": born, "tags": item{"owner": own}})
		w.row("aws_apigateway_rest_api", "api"+end, account, region, born, own)
		w.row("aws_apigateway_resource", "api"+end+"/root", account, region, time.Time{}, "")
		w.row("aws_apigateway_resource", "api"+end+"/pets", account, region, time.Time{}, "")
		w.edge("aws_apigateway_resource", "api"+end+"/root", "in", "aws_apigateway_rest_api", "api"+end)
		w.edge("aws_apigateway_resource", "api"+end+"/pets", "in", "aws_apigateway_rest_api", "api"+end)
		w.edge("aws_apigateway_resource", "api"+end+"/pets", "in", "aws_apigateway_resource", "api"+end+"/root")
	}
	e.Put(p, "lambda.ListFunctions", functions...)
	e.Handle(p, "lambda.ListTags", func(*awsfake.Request) (map[string]any, error) { return item{"Tags": item{"owner": own}}, nil })
	e.PutList(p, "eks.ListClusters", awsfake.List{Items: clusters})
	e.Handle(p, "eks.DescribeCluster", func(r *awsfake.Request) (map[string]any, error) {
		return item{"cluster": item{"name": r.Text("name"), "arn": arn("eks", "cluster/"+r.Text("name")), "createdAt": born, "tags": item{"owner": own}}}, nil
	})
	e.PutList(p, "eks.ListNodegroups", awsfake.List{Items: []any{"n0", "n1"}})
	e.Handle(p, "eks.DescribeNodegroup", func(r *awsfake.Request) (map[string]any, error) {
		name := r.Text("clusterName") + "/" + r.Text("nodegroupName")
		return item{"nodegroup": item{
			"nodegroupName": r.Text("nodegroupName"), "nodegroupArn": arn("eks", "nodegroup/"+name+"/1"), "clusterName": r.Text("clusterName"),
			"createdAt": born, "tags": item{"owner": own},
		}}, nil
	})
	e.Put(p, "apigateway.GetRestApis", apis...)
	e.Put(p, "apigateway.GetResources", item{"id": "root", "path": "/"}, item{"id": "pets", "parentId": "root", "path": "/pets", "pathPart": "pets"})
}

func setupJSON(e *estate) {
	e.answer("dynamodb.DescribeContinuousBackups", item{"ContinuousBackupsDescription": item{"ContinuousBackupsStatus": "DISABLED"}})
	e.answer("dynamodb.DescribeTimeToLive", item{"TimeToLiveDescription": item{"TimeToLiveStatus": "DISABLED"}})
	e.answer("dynamodb.DescribeKinesisStreamingDestination", item{"TableName": "x", "KinesisDataStreamDestinations": []any{}})
	e.refuse("dynamodb.GetResourcePolicy", "PolicyNotFoundException", 400)
	e.answer("kms.GetKeyPolicy", item{"Policy": `{"Statement":[]}`, "PolicyName": "default"})
	e.answer("kms.GetKeyRotationStatus", item{"KeyRotationEnabled": true})
}

func putJSON(e *estate, w *truth, account, region string) {
	p, own := at(account, region), owner(account, region)
	arn := func(service, rest string) string {
		return "arn:aws:" + service + ":" + region + ":" + account + ":" + rest
	}
	var tables, clusters, queues []any
	services := map[string][]any{}
	var keys []item
	for i := range perPlace {
		end := fmt.Sprint(account[:1], region, i)
		tables = append(tables, "table-"+end)
		w.row("aws_dynamodb_table", "table-"+end, account, region, born, own)

		cluster := arn("ecs", "cluster/c-"+end)
		clusters = append(clusters, cluster)
		w.row("aws_ecs_cluster", cluster, account, region, time.Time{}, own)
		for j := range 2 {
			service := arn("ecs", fmt.Sprint("service/c-", end, "/s", j))
			services[cluster] = append(services[cluster], service)
			w.row("aws_ecs_service", service, account, region, born, own)
			w.edge("aws_ecs_service", service, "in", "aws_ecs_cluster", cluster)
		}

		queue := e.URL + "/" + account + "/q-" + end
		queues = append(queues, queue)
		w.row("aws_sqs_queue", queue, account, region, born, own)
		if i > 0 {
			w.edge("aws_sqs_queue", queue, "targets", "aws_sqs_queue", e.URL+"/"+account+"/q-"+fmt.Sprint(account[:1], region, 0))
		}

		keys = append(keys, item{"KeyId": "key-" + end, "KeyArn": arn("kms", "key/key-"+end)})
		w.row("aws_kms_key", "key-"+end, account, region, born, own)
	}
	e.PutList(p, "dynamodb.ListTables", awsfake.List{Items: tables})
	e.Handle(p, "dynamodb.DescribeTable", func(r *awsfake.Request) (map[string]any, error) {
		return item{"Table": item{"TableName": r.Text("TableName"), "TableArn": arn("dynamodb", "table/"+r.Text("TableName")), "CreationDateTime": born, "ItemCount": 7}}, nil
	})
	e.Put(p, "dynamodb.ListTagsOfResource", item{"Key": "owner", "Value": own})

	e.PutList(p, "ecs.ListClusters", awsfake.List{Items: clusters})
	e.Handle(p, "ecs.DescribeClusters", func(r *awsfake.Request) (map[string]any, error) {
		var found []any
		for _, c := range r.Texts("clusters") {
			found = append(found, item{"clusterArn": c, "status": "ACTIVE", "tags": []any{item{"key": "owner", "value": own}}})
		}
		return item{"clusters": found}, nil
	})
	e.HandleList(p, "ecs.ListServices", func(r *awsfake.Request) (awsfake.List, error) {
		return awsfake.List{Items: services[r.Text("cluster")]}, nil
	})
	e.Handle(p, "ecs.DescribeServices", func(r *awsfake.Request) (map[string]any, error) {
		var found []any
		for _, s := range r.Texts("services") {
			found = append(found, item{"serviceArn": s, "clusterArn": r.Text("cluster"), "createdAt": born, "tags": []any{item{"key": "owner", "value": own}}})
		}
		return item{"services": found}, nil
	})

	e.PutList(p, "sqs.ListQueues", awsfake.List{Items: queues})
	e.Handle(p, "sqs.GetQueueAttributes", func(r *awsfake.Request) (map[string]any, error) {
		a := item{"CreatedTimestamp": fmt.Sprint(born.Unix()), "ApproximateNumberOfMessages": "3", "VisibilityTimeout": "30"}
		if r.Text("QueueUrl") != queues[0] {
			a["RedrivePolicy"] = `{"deadLetterTargetArn":"` + arn("sqs", fmt.Sprint("q-", account[:1], region, 0)) + `","maxReceiveCount":5}`
		}
		return item{"Attributes": a}, nil
	})
	e.Handle(p, "sqs.ListQueueTags", func(*awsfake.Request) (map[string]any, error) { return item{"Tags": item{"owner": own}}, nil })

	e.Put(p, "kms.ListKeys", keys...)
	e.Handle(p, "kms.DescribeKey", func(r *awsfake.Request) (map[string]any, error) {
		return item{"KeyMetadata": item{"KeyId": r.Text("KeyId"), "Arn": arn("kms", "key/"+r.Text("KeyId")), "CreationDate": born, "KeyState": "Enabled"}}, nil
	})
	e.HandleList(p, "kms.ListAliases", func(r *awsfake.Request) (awsfake.List, error) {
		return awsfake.List{Items: []any{item{"AliasName": "alias/one", "TargetKeyId": r.Text("KeyId")}, item{"AliasName": "alias/two", "TargetKeyId": r.Text("KeyId")}}}, nil
	})
	e.HandleList(p, "kms.ListResourceTags", func(*awsfake.Request) (awsfake.List, error) {
		return awsfake.List{Items: []any{item{"TagKey": "owner", "TagValue": own}}}, nil
	})
}
