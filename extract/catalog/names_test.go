package catalog

import (
	"strings"
	"testing"
)

func TestColumnName(t *testing.T) {
	for in, want := range map[string]string{
		"DBInstanceArn": "db_instance_arn", "VpcId": "vpc_id", "KMSKeyId": "kms_key_id", "KmsKeyID": "kms_key_id",
		"IPv6Address": "ipv6_address", "Ipv6Addresses": "ipv6_addresses", "AssociateIPv4CIDR": "associate_ipv4_cidr",
		"EC2InstanceId": "ec2_instance_id", "IAMRole": "iam_role", "VPCSecurityGroups": "vpc_security_groups",
		"ARN": "arn", "ARNs": "arns", "KmsKeyARNsInUse": "kms_key_arns_in_use", "VpcIds": "vpc_ids", "VPCs": "vpcs",
		"ETag": "etag", "CodeSha256": "code_sha256", "MD5OfBody": "md5_of_body", "Route53Zone": "route53_zone",
		"S3Bucket": "s3_bucket", "S3URL": "s3_url", "X509Certificate": "x509_certificate", "K8sVersion": "k8s_version",
		"DefaultVCpus": "default_vcpus", "VCpuInfo": "vcpu_info", "SizeInMiB": "size_in_mib", "BaselineThroughputInMBps": "baseline_throughput_in_mbps",
		"clusterArn": "cluster_arn", "isIPv6": "is_ipv6", "httpEndpoint": "http_endpoint", "HTTPSOnly": "https_only",
		"DNSName": "dns_name", "AWSService": "aws_service", "IoTRole": "iot_role", "aws:tag-key": "aws_tag_key", "x-amz-request": "x_amz_request",
		"2xx": "n2xx", "already_snake": "already_snake", "MultiAZ": "multi_az", "AvailabilityZoneIDs": "availability_zone_ids",
		"EBSOptimized": "ebs_optimized", "SSESpecification": "sse_specification", "OAuth2Scopes": "oauth2_scopes",
	} {
		if got := ColumnName(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestLongNamesStayApart(t *testing.T) {
	long := strings.Repeat("VeryLong", 10)
	a, b := ColumnName(long+"A"), ColumnName(long+"B")
	if len(a) > 63 || len(b) > 63 || a == b || a != ColumnName(long+"A") {
		t.Errorf("%s (%d), %s (%d)", a, len(a), b, len(b))
	}
	if !strings.HasPrefix(a, "very_long_very_long") {
		t.Error(a)
	}
	if s := strings.Repeat("a", 63); ColumnName(s) != s {
		t.Error("63 bytes were shortened")
	}
}

func TestNear(t *testing.T) {
	known := []string{"DescribeInstances", "DescribeImages", "DescribeVolumes", "Tags", "TagSet"}
	for in, want := range map[string]string{
		"DescribeInstance": "DescribeInstances", "describeImages": "DescribeImages", "DescribeVolums": "DescribeVolumes",
		"Tag": "Tags", "Completely": "", "tagset": "TagSet",
	} {
		if got := near(in, known); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestFirstSentence(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"<p>The ID of the <code>VPC</code>. More of it.</p>":               "The ID of the VPC.",
		"<p>Describes an instance, e.g. a small one, in v1.2. Second.</p>": "Describes an instance, e.g. a small one, in v1.2.",
		"<p>Whether it is &lt;encrypted&gt;</p><p>Another paragraph.</p>":  "Whether it is <encrypted>.",
		"One line\nover   two. And a second":                               "One line over two.",
		"<note><p> </p></note><p>After a note.</p>":                        "After a note.",
		"Valid values: " + strings.Repeat("a-value, ", 60):                 "Valid values: " + strings.TrimSuffix(strings.Repeat("a-value, ", 31), ", ") + "....",
	} {
		got := FirstSentence(in)
		if strings.HasPrefix(in, "Valid") {
			if len(got) > maxDoc+4 || !strings.HasSuffix(got, "...") {
				t.Errorf("%d: %s", len(got), got)
			}
			continue
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
