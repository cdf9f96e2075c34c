#!/usr/bin/env python3
"""Serve the demo estate, two accounts in three regions, from an emulator.

    fill.py PORT COMMAND...

starts moto on that port of loopback, fills it, runs the command with
AWS_ENDPOINT_URL set, and DEMO_AWS to what the Kubernetes cluster names, and
ends with its exit code. The estate is a function of
this file: names, tags, identifiers and times are fixed. examples/demo/record
makes of it the recording that `make demo` replays.
"""
import datetime
import io
import json
import logging
import os
import subprocess
import sys
import zipfile

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # the demo's accounts own what the demo makes

import boto3
from botocore.config import Config
from freezegun import freeze_time
from moto.dynamodb.responses import DynamoHandler
from moto.ec2.models import ec2_backends
from moto.iam.responses import IamResponse
from moto.moto_api._internal import mock_random
from moto.server import ThreadedMotoServer

ENDPOINT = f"http://127.0.0.1:{sys.argv[1]}"
ACCOUNTS = {"production": "111111111111", "sandbox": "222222222222"}
REGIONS = ["eu-central-1", "eu-west-1", "us-east-1"]
PEOPLE = ["ana", "bo", "chidi", "dana", "eli", "fen"]
TEAMS = ["checkout", "search", "platform"]
CONFIG = Config(retries={"max_attempts": 2})


# Two calls that the emulator lacks, as AWS answers where there is nothing.
IamResponse.list_instance_profile_tags = lambda self: """<ListInstanceProfileTagsResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
<ListInstanceProfileTagsResult><IsTruncated>false</IsTruncated><Tags/></ListInstanceProfileTagsResult></ListInstanceProfileTagsResponse>"""
DynamoHandler.describe_kinesis_streaming_destination = lambda self: json.dumps(
    {"TableName": self.body["TableName"], "KinesisDataStreamDestinations": []})


def session(account):
    keys = boto3.client("sts", region_name="us-east-1", endpoint_url=ENDPOINT, aws_access_key_id="demo",
                        aws_secret_access_key="demo", config=CONFIG).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/dewpoint", RoleSessionName="fill")["Credentials"]

    def client(service, region="us-east-1"):
        return boto3.client(service, region_name=region, endpoint_url=ENDPOINT, config=CONFIG,
                            aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
                            aws_session_token=keys["SessionToken"])
    return client


def pairs(tags):
    return [{"Key": k, "Value": v} for k, v in tags.items()]


def tags(i, name, env):
    """Most things have an owner, some an expiry long past, some nothing."""
    if i % 6 == 5:
        return {}
    t = {"Name": name, "env": env, "owner": f"{PEOPLE[i % len(PEOPLE)]}@example.org", "team": TEAMS[i % len(TEAMS)]}
    if i % 7 == 3:
        t["expires"] = "2025-03-31"
    if i % 11 == 4:
        t["owmer"] = t.pop("owner")  # a typing error, as they come
    return t


def spec(kind, t):
    return [{"ResourceType": kind, "Tags": pairs(t)}] if t else []


def zipped():
    z = io.BytesIO()
    with zipfile.ZipFile(z, "w") as f:
        f.writestr("main.py", "def handler(event, context):\n    return event\n")
    return z.getvalue()


TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
READ = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]})


def fill_global(client, env, account):
    iam = client("iam")
    for i, who in enumerate(PEOPLE):
        iam.create_user(UserName=who, Tags=pairs({"team": TEAMS[i % len(TEAMS)]}))
        if i % 2 == 0:
            iam.create_access_key(UserName=who)
    for team in TEAMS:
        iam.create_group(GroupName=team)
        policy = iam.create_policy(PolicyName=f"{team}-read", PolicyDocument=READ)["Policy"]["Arn"]
        iam.attach_group_policy(GroupName=team, PolicyArn=policy)
        iam.create_role(RoleName=f"{team}-node", AssumeRolePolicyDocument=TRUST, Tags=pairs({"team": team}))
        iam.attach_role_policy(RoleName=f"{team}-node", PolicyArn=policy)
        iam.create_instance_profile(InstanceProfileName=f"{team}-node")
        iam.add_role_to_instance_profile(InstanceProfileName=f"{team}-node", RoleName=f"{team}-node")
    for i, who in enumerate(PEOPLE):
        iam.add_user_to_group(GroupName=TEAMS[i % len(TEAMS)], UserName=who)
    r53 = client("route53")
    zone = r53.create_hosted_zone(Name=f"{env}.example.org", CallerReference=env)["HostedZone"]["Id"]
    r53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [
        {"Action": "CREATE", "ResourceRecordSet": {"Name": f"{team}.{env}.example.org", "Type": "A", "TTL": 60,
                                                   "ResourceRecords": [{"Value": f"203.0.113.{10 + i}"}]}}
        for i, team in enumerate(TEAMS)]})


def fill_region(client, env, account, region, clock):
    busy = region == "eu-central-1"
    ec2, elb, s3, rds = client("ec2", region), client("elbv2", region), client("s3", region), client("rds", region)
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=spec("vpc", {
        "Name": f"{env}-{region}", "owner": "ana@example.org", "env": env}))["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway(TagSpecifications=spec("internet-gateway", {"Name": f"{env}-igw"}))
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGateway"]["InternetGatewayId"], VpcId=vpc)
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{n * 16}.0/20", AvailabilityZone=region + z,
                                 TagSpecifications=spec("subnet", {"Name": f"{env}-{z}", "env": env}))["Subnet"]["SubnetId"]
               for n, z in enumerate("ab")]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])
    groups = []
    for i, team in enumerate(TEAMS):
        g = ec2.create_security_group(GroupName=f"{env}-{team}", Description=f"{team} nodes", VpcId=vpc,
                                      TagSpecifications=spec("security-group", {"team": team}))["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=g, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
        groups.append(g)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnets[1], AllocationId=address)
    ec2.allocate_address(Domain="vpc")  # attached to nothing
    ec2.create_key_pair(KeyName=f"{env}-ops")

    image = ec2.register_image(Name=f"{env}-base", RootDeviceName="/dev/xvda")["ImageId"]
    instances = []
    for i in range(12 if busy else 4):
        clock.tick(datetime.timedelta(days=9, hours=5))
        name = f"{TEAMS[i % len(TEAMS)]}-{i:02}"
        r = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnets[i % 2], KeyName=f"{env}-ops",
                              InstanceType=["t3.micro", "m5.large", "c5.xlarge"][i % 3],
                              SecurityGroupIds=[groups[i % len(groups)]],
                              IamInstanceProfile={"Name": f"{TEAMS[i % len(TEAMS)]}-node"},
                              TagSpecifications=spec("instance", tags(i, name, env)))
        instances.append(r["Instances"][0]["InstanceId"])
    ec2.stop_instances(InstanceIds=instances[-2:])
    for i in range(8 if busy else 3):
        clock.tick(datetime.timedelta(days=5, hours=7))
        v = ec2.create_volume(AvailabilityZone=region + "a", Size=20 * (i + 1), VolumeType=["gp3", "gp2", "st1"][i % 3],
                              TagSpecifications=spec("volume", tags(i, f"data-{i:02}", env)))["VolumeId"]
        if i % 3 == 0:
            ec2.attach_volume(Device="/dev/sdf", InstanceId=instances[i % len(instances)], VolumeId=v)
        if i % 2 == 0:
            ec2.create_snapshot(VolumeId=v, Description="nightly", TagSpecifications=spec("snapshot", tags(i, f"nightly-{i:02}", env)))

    balancer = elb.create_load_balancer(Name=f"{env}-front", Subnets=subnets, SecurityGroups=groups[:1],
                                        Tags=pairs({"owner": "bo@example.org", "env": env}))["LoadBalancers"][0]["LoadBalancerArn"]
    target = elb.create_target_group(Name=f"{env}-web", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=target, Targets=[{"Id": i} for i in instances[:2]])
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80,
                        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])

    for i, team in enumerate(TEAMS):
        bucket = f"{env}-{team}-{region}"
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **where)
        if i != 2:
            s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs({"owner": f"{PEOPLE[i]}@example.org", "team": team})})
    rds.create_db_subnet_group(DBSubnetGroupName=env, DBSubnetGroupDescription=env, SubnetIds=subnets)
    rds.create_db_instance(DBInstanceIdentifier=f"{env}-orders", Engine="postgres", DBInstanceClass="db.t3.medium",
                           AllocatedStorage=100, MasterUsername="app", MasterUserPassword="emulator-only",
                           DBSubnetGroupName=env, Tags=pairs({"owner": "chidi@example.org", "env": env}))

    sqs, sns, lam, ddb = client("sqs", region), client("sns", region), client("lambda", region), client("dynamodb", region)
    logs, kms, ecs, alarms = client("logs", region), client("kms", region), client("ecs", region), client("cloudwatch", region)
    key = kms.create_key(Description=f"{env} data", Tags=[{"TagKey": "team", "TagValue": "platform"}])["KeyMetadata"]["KeyId"]
    for i, team in enumerate(TEAMS):
        clock.tick(datetime.timedelta(days=3))
        t = tags(i, f"{team}-events", env)
        sqs.create_queue(QueueName=f"{team}-events", tags=t, Attributes={"KmsMasterKeyId": key})
        topic = sns.create_topic(Name=f"{team}-events", Tags=pairs(t))["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{region}:{account}:{team}-events")
        lam.create_function(FunctionName=f"{team}-worker", Runtime="python3.13", Handler="main.handler", Tags=t,
                            Role=f"arn:aws:iam::{account}:role/{team}-node", Code={"ZipFile": zipped()})
        ddb.create_table(TableName=f"{team}-state", BillingMode="PAY_PER_REQUEST", Tags=pairs(t),
                         AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                         KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}])
        logs.create_log_group(logGroupName=f"/aws/lambda/{team}-worker", tags=t)
        alarms.put_metric_alarm(AlarmName=f"{team}-cpu", MetricName="CPUUtilization", Namespace="AWS/EC2", Period=300,
                                EvaluationPeriods=1, Threshold=80, ComparisonOperator="GreaterThanThreshold",
                                Statistic="Average", Dimensions=[{"Name": "InstanceId", "Value": instances[i]}])
    ecs.create_cluster(clusterName=f"{env}-jobs")


def fill_front(client, env, account, region):
    """What faces the internet and what may write where: after all else, so that the other identifiers stay."""
    ec2, elb, iam, s3 = client("ec2", region), client("elbv2", region), client("iam"), client("s3", region)
    vpc = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [f"{env}-{region}"]}])["Vpcs"][0]["VpcId"]
    subnet = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"][0]["SubnetId"]
    running = ec2.describe_instances(Filters=[{"Name": "tag:team", "Values": ["checkout"]}])["Reservations"]
    edge = elb.create_load_balancer(Name=f"{env}-edge", Type="network", Subnets=[subnet], Tags=pairs(
        {"owner": "ana@example.org", "team": "checkout", "env": env}))["LoadBalancers"][0]["LoadBalancerArn"]
    target = elb.create_target_group(Name=f"{env}-checkout", Protocol="TCP", Port=443, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=target, Targets=[{"Id": r["Instances"][0]["InstanceId"]} for r in running[:3]])
    elb.create_listener(LoadBalancerArn=edge, Protocol="TCP", Port=443,
                        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])
    # AWS makes the interface of a network load balancer, the emulator does not.
    eni = ec2.create_network_interface(SubnetId=subnet, Description="ELB " + edge.split(":loadbalancer/")[1])
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=spec("elastic-ip", {"Name": "front door", "team": "checkout"}))["AllocationId"]
    front = next(a for a in ec2_backends[account][region].addresses if a.allocation_id == address)
    front.public_ip = "203.0.113.10"  # the address that DNS names
    ec2.associate_address(AllocationId=address, NetworkInterfaceId=eni["NetworkInterface"]["NetworkInterfaceId"])

    bucket = f"{env}-checkout-{region}"
    for role, actions in {"checkout-node": ["s3:PutObject", "s3:DeleteObject"], "platform-node": ["s3:*"]}.items():
        iam.put_role_policy(RoleName=role, PolicyName="publish", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{env}-checkout-*", f"arn:aws:s3:::{env}-checkout-*/*"]}}))
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{account}:role/platform-node"},
         "Action": ["s3:Put*", "s3:Delete*"], "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}))


def fill_cluster(client, env, account, region):
    """A Kubernetes cluster on two of the instances. Returns what its objects name."""
    ec2, elb = client("ec2", region), client("elbv2", region)
    front = elb.describe_load_balancers(Names=[f"{env}-front"])["LoadBalancers"][0]
    client("eks", region).create_cluster(
        name="shop-eks", version="1.36", roleArn=f"arn:aws:iam::{account}:role/platform-node", tags=tags(0, "shop-eks", env),
        resourcesVpcConfig={"subnetIds": [z["SubnetId"] for z in front["AvailabilityZones"]], "securityGroupIds": front["SecurityGroups"]})
    named = {t["Value"]: i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]
             for t in i.get("Tags", []) if t["Key"] == "Name"}
    volume = ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": ["data-00"]}])["Volumes"][0]["VolumeId"]
    return {"Instances": [named["search-01"], named["search-07"]], "Volume": volume, "LoadBalancer": front["DNSName"]}


def fill():
    mock_random.seed(20240501)
    with freeze_time("2024-05-01T08:00:00Z") as clock:
        for env, account in ACCOUNTS.items():
            client = session(account)
            fill_global(client, env, account)
            for region in REGIONS:
                if env == "production" or region == "eu-central-1":
                    fill_region(client, env, account, region, clock)
        client = session(ACCOUNTS["production"])
        fill_front(client, "production", ACCOUNTS["production"], REGIONS[0])
        return fill_cluster(client, "production", ACCOUNTS["production"], REGIONS[0])


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False)
    server.start()
    try:
        cluster = fill()
        env = dict(os.environ, DEMO_AWS=json.dumps(cluster), AWS_ENDPOINT_URL=ENDPOINT, AWS_ACCESS_KEY_ID="demo", AWS_SECRET_ACCESS_KEY="demo",
                   AWS_REGION="eu-central-1", AWS_EC2_METADATA_DISABLED="true")
        return subprocess.run(sys.argv[2:], env=env, check=False).returncode
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
