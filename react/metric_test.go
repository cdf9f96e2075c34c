package react_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
)

// measured computes the bundled metrics and returns the lines of one.
func (w *world) measured(s react.Settings) func(name string) []string {
	w.t.Helper()
	all, err := w.open().Measure(context.Background(), react.BundledMetrics(), now, s)
	if err != nil {
		w.t.Fatal(err)
	}
	lines := map[string][]string{}
	for _, m := range all {
		if m.Err != nil {
			w.t.Error(m.Err)
		}
		lines[m.Metric.Name] = nil
		for _, x := range m.Samples {
			var parts []string
			for _, k := range slices.Sorted(maps.Keys(x.Labels)) {
				if k != "cloud" && k != "account" && k != "region" {
					parts = append(parts, k+"="+x.Labels[k])
				}
			}
			lines[m.Metric.Name] = append(lines[m.Metric.Name], strings.TrimSpace(strings.Join(parts, " ")+" "+fmt.Sprint(x.Value)))
		}
	}
	return func(name string) []string {
		got, ok := lines[name]
		if !ok {
			w.t.Errorf("there is no metric %s", name)
		}
		return got
	}
}

// TestMetrics computes every bundled metric on an estate whose truth is known.
func TestMetrics(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ann := map[string]string{"owner": "ann"}
		w.put("aws_sts_account", account, row{"region": "global"})
		w.put("aws_ec2_instance_type", "m5.large", row{"vcpu_info_default_vcpus": 2, "memory_info_size_in_mib": 8192, "tags": nil})
		w.put("aws_ec2_instance_type", "m5.large", row{"vcpu_info_default_vcpus": 2, "memory_info_size_in_mib": 8192, "tags": nil, "region": "us-east-1"})
		web := w.put("aws_ec2_instance", "i-1", row{"instance_type": "m5.large", "state_name": "running", "platform_details": "Linux/UNIX", "tags": ann})
		w.put("aws_ec2_instance", "i-2", row{"instance_type": "m5.large", "state_name": "running", "platform_details": "Linux/UNIX", "instance_lifecycle": "spot", "tags": ann})
		w.put("aws_ec2_instance", "i-3", row{"instance_type": "m5.large", "state_name": "running", "platform_details": "Windows"})
		w.put("aws_ec2_instance", "i-4", row{"instance_type": "m5.large", "state_name": "stopped", "platform_details": "Linux/UNIX"})
		w.put("aws_ec2_instance", "i-5", row{"instance_type": "new.type", "state_name": "running"})
		w.put("aws_ec2_volume", "vol-1", row{"volume_type": "gp3", "state": "available", "size": 100, "tags": map[string]string{"owner": ""}})
		w.put("aws_ec2_volume", "vol-2", row{"volume_type": "gp3", "state": "in-use", "size": 10, "tags": ann})
		w.put("aws_ec2_volume", "vol-3", row{"volume_type": "odd", "state": "in-use", "size": 1, "tags": nil})
		w.put("aws_ec2_snapshot", "snap-1", row{"state": "completed", "volume_size": 100})
		cluster := w.put("aws_rds_db_cluster", "cluster-1", row{"engine": "aurora", "allocated_storage": 50})
		member := w.put("aws_rds_db_instance", "db-1", row{"engine": "aurora", "allocated_storage": 50, "db_instance_class": "db.r5.large"})
		w.edge(member, "aws_rds_db_instance", "member_of", cluster, "aws_rds_db_cluster", schema.Block)
		w.put("aws_rds_db_cluster", "cluster-2", row{"engine": "aurora", "allocated_storage": 7})
		eip := w.put("aws_ec2_eip", "eip-1", row{})
		w.put("aws_ec2_eip", "eip-2", row{})
		w.edge(eip, "aws_ec2_eip", "attached_to", web, "aws_ec2_instance", schema.None)
		w.put("aws_ec2_reserved_instances", "r-1", row{"instance_type": "m5.large", "offering_class": "standard", "instance_count": 3, "state": "active"})
		w.put("aws_ec2_reserved_instances", "r-2", row{"instance_type": "m5.large", "offering_class": "standard", "instance_count": 9, "state": "retired"})
		quota := func(service, code, name string, value float64) {
			w.put("aws_servicequotas_service_quota", service+"/"+code, row{"service_code": service, "quota_code": code, "quota_name": name, "value": value})
		}
		quota("ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 256)
		quota("ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 64)
		quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5)
		quota("ebs", "L-7A658B76", "Storage for General Purpose SSD (gp3) volumes, in TiB", 50)
		quota("s3", "L-DC2B2D3D", "General purpose buckets", 10000)
		quota("acm", "L-F141DD1D", "ACM certificates", 2500)
		quota("vpc", "L-A4707A72", "Internet gateways per Region", 5)
		quota("vpc", "L-F678F1CE", "VPCs per Region", 6)
		quota("elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region", 50)
		quota("elasticloadbalancing", "L-69A177A2", "Network Load Balancers per Region", 51)
		w.put("aws_elbv2_load_balancer", "lb-1", row{"type": "network"})
		w.put("aws_iam_access_key", "AKIA1", row{"status": "Active", "region": "global", "tags": nil})
		w.put("aws_s3_bucket", "b", row{"_unread": []string{"tags"}, "tags": nil, "created_at": now.Add(-time.Hour)})
		w.scope("aws", account, region, "complete", now.Add(-time.Hour), "aws_ec2_instance", "aws_ec2_volume", "aws_ec2_snapshot")
		w.scope("aws", account, region, "denied", now.Add(-48*time.Hour), "aws_s3_bucket")
		w.scope("aws", account, region, "not_applicable", time.Time{}, "aws_sqs_queue")
		w.insert("problems", row{"kind": "aws_s3_bucket", "account": account, "region": region, "call": "GetBucketTagging", "code": "AccessDenied", "count": 4})
		w.insert("resource_history", row{"_id": uuid.New(), "kind": "aws_ec2_volume", "change": "deleted", "valid_to": now.Add(-time.Hour), "valid_from": now.AddDate(0, 0, -9), "doc": fmt.Sprintf(
			`{"cloud":"aws","account":%q,"created_at":"2026-06-15T09:00:00Z"}`, account)})
		w.insert("resource_history", row{"_id": uuid.New(), "kind": "aws_ec2_volume", "change": "changed", "valid_to": now.AddDate(0, 0, -2), "valid_from": now.AddDate(0, 0, -9)})

		s := react.DefaultSettings()
		s.RequiredTags = []string{"owner", "team's"}
		for _, p := range []react.Price{
			{Base: "instance", Type: "m5.large", Variant: "on-demand", Price: 0.1},
			{Base: "instance", Type: "m5.large", Variant: "spot", Price: 0.03},
			{Base: "instance", Type: "m5.large", Variant: "Windows", Price: 0.2},
			{Base: "volume", Type: "gp3", Variant: "on-demand", Price: 0.08},
			{Base: "volume", Type: "m5.large", Variant: "on-demand", Price: 9},
			{Base: "instance", Type: "gp3", Variant: "on-demand", Price: 9},
		} {
			p.Cloud, p.Region = "aws", region
			s.Prices = append(s.Prices, p)
		}
		got := w.measured(s)
		for name, want := range map[string][]string{
			"accounts":                             {"1"},
			"instances":                            {"status=running type=m5.large 3", "status=running type=new.type 1", "status=stopped type=m5.large 1"},
			"cores":                                {"type=m5.large 6"},
			"memory_bytes":                         {"type=m5.large 2.5769803776e+10"},
			"instances_hourly_cost_estimate":       {"type=m5.large variant=Windows 0.2", "type=m5.large variant=on-demand 0.1", "type=m5.large variant=spot 0.03"},
			"volumes":                              {"status=available type=gp3 1", "status=busy type=gp3 1", "status=busy type=odd 1"},
			"volume_bytes":                         {"status=available type=gp3 1.073741824e+11", "status=busy type=gp3 1.073741824e+10", "status=busy type=odd 1.073741824e+09"},
			"volumes_monthly_cost_estimate":        {"status=available type=gp3 8", "status=busy type=gp3 0.8"},
			"snapshots":                            {"status=completed 1"},
			"snapshots_volumes_bytes":              {"status=completed 1.073741824e+11"},
			"databases":                            {"instance_type=db.r5.large type=aurora 1", "type=aurora 1"},
			"databases_bytes":                      {"instance_type=db.r5.large type=aurora 5.36870912e+10", "type=aurora 7.516192768e+09"},
			"reserved_instances":                   {"quota_type=standard type=m5.large 3"},
			"instances_quotas":                     {"quota_type=on-demand type=Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances 256", "quota_type=spot type=All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests 64"},
			"volumes_quotas_bytes":                 {"type=Storage for General Purpose SSD (gp3) volumes, in TiB 5.49755813888e+13"},
			"buckets_quotas":                       {"10000"},
			"certificates_quotas":                  {"2500"},
			"gateways_quotas":                      {"5"},
			"networks_quotas":                      {"6"},
			"load_balancers_quotas":                {"type=application 50", "type=network 51"},
			"load_balancers":                       {"type=network 1"},
			"access_keys":                          {"status=Active 1"},
			"ip_addresses":                         {"2"},
			"unused_ip_addresses":                  {"1"},
			"unused_volume_bytes":                  {"type=gp3 1.073741824e+11"},
			"stopped_instances":                    {"type=m5.large 1"},
			"buckets":                              {"1"},
			"users":                                nil,
			"scopes":                               {"state=complete 3", "state=denied 1", "state=not_applicable 1"},
			"scope_coverage_ratio":                 {"0.75"},
			"scope_complete_timestamp_seconds":     {fmt.Sprint(float64(now.Add(-48 * time.Hour).Unix()))},
			"incomplete_scope_timestamp_seconds":   {"kind=aws_s3_bucket state=denied " + fmt.Sprint(float64(now.Add(-48*time.Hour).Unix()))},
			"problems":                             {"code=AccessDenied kind=aws_s3_bucket 4"},
			"unread_resources":                     {"kind=aws_s3_bucket 1"},
			"sync_duration_seconds":                {"60"},
			"sync_timestamp_seconds":               {"state=complete " + fmt.Sprint(float64(now.Add(-119*time.Minute).Unix()))},
			"resource_lifetime_seconds":            {"kind=aws_ec2_volume 7200"},
			"churned_resources":                    {"change=created kind=aws_s3_bucket 1", "change=deleted kind=aws_ec2_volume 1"},
			"owner_volume_bytes":                   {"owner=ann status=busy 1.073741824e+10", "status=available 1.073741824e+11"},
			"owner_instances_hourly_cost_estimate": {"owner=ann 0.1"},
		} {
			if g := got(name); !slices.Equal(g, want) {
				t.Errorf("%s is\n%s\nnot\n%s", name, strings.Join(g, "\n"), strings.Join(want, "\n"))
			}
		}
		if g := got("untagged_resources"); !slices.Contains(g, "kind=aws_ec2_volume 2") {
			t.Errorf("untagged_resources is %s: the volume whose tags are unknown is not untagged", g)
		}
		for _, g := range got("tag_compliance_ratio") {
			if !strings.HasPrefix(g, "tag=owner 0.1") && g != "tag=team's 0" {
				t.Errorf("tag_compliance_ratio has %s", g)
			}
		}
	})
}

// TestNodesAreTheirMachines counts a Kubernetes node once.
func TestNodesAreTheirMachines(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	machine := w.put("aws_ec2_instance", "i-1", row{"instance_type": "m5.large", "state_name": "running"})
	w.edge(uuid.New(), "kubernetes_node", "runs_on", machine, "aws_ec2_instance", schema.None)
	// The node is an instance as well: a row of another kind of that base.
	node := w.put("aws_ec2_instance", "node", row{"instance_type": "m5.large", "state_name": "running"})
	w.edge(node, "kubernetes_node", "runs_on", machine, "aws_ec2_instance", schema.None)
	if got := w.measured(react.DefaultSettings())("instances"); !slices.Equal(got, []string{"status=running type=m5.large 1"}) {
		t.Errorf("instances is %s", got)
	}
}

// TestOwnMetrics reads metrics from a folder, over bundled ones.
func TestOwnMetrics(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const head = "-- help: Mine.\n-- type: gauge\n"
	write("accounts.sql", head+"SELECT 42 AS value")
	write("broken.sql", head+"SELECT 1 AS value FROM nowhere")
	write("twice.sql", head+"SELECT 'a' AS x, 1 AS value UNION ALL SELECT 'a', 2")
	write("valueless.sql", head+"SELECT 1 AS x")
	write("nothing.sql", head+"SELECT 'a' AS x, NULL AS value")
	write("variant.sql", head+"SELECT 1 AS value")
	write("variant.duckdb.sql", "SELECT 2 AS value")
	own, err := react.LoadMetrics(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, react.DuckDB)
	all, err := w.open().Measure(context.Background(), react.Merge(react.BundledMetrics(), own), now, react.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range all {
		got[m.Metric.Name] = fmt.Sprint(m.Samples)
		if m.Err != nil {
			got[m.Metric.Name] = m.Err.Error()
		}
	}
	for name, want := range map[string]string{
		"accounts": "[{map[] 42}]", "broken": "nowhere", "twice": `two rows have the labels {x="a"}`, "valueless": "no column value",
		"nothing": "[]", "variant": "[{map[] 2}]", "instances": "[]",
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%s is %s, want %s", name, got[name], want)
		}
	}
	for name, text := range map[string]string{
		"Bad.sql": head + "SELECT 1 AS value", "x.sql": "SELECT 1 AS value", "x.oracle.sql": head, "y.duckdb.sql": head,
		"count.sql": "-- help: a\n-- type: counter\nSELECT 1 AS value", "x_bytes.sql": head + "-- unit: seconds\nSELECT 1 AS value",
	} {
		bad := t.TempDir()
		if err := os.WriteFile(filepath.Join(bad, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := react.LoadMetrics(bad); err == nil {
			t.Errorf("%s is accepted:\n%s", name, text)
		}
	}
}
