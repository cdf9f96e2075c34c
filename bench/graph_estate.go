package main

import (
	"fmt"
	"strings"
)

// graphKind is a kind of the synthetic estate whose relationships are measured.
// Row number n of it is a function of n; SQL is such as DuckDB and Postgres
// both take.
type graphKind struct {
	kind, base string
	// rows is how many there are in an estate of a million resources.
	rows int
	// network is the number of the network that n is in, which tells account
	// and region; without one it is in cluster n % 100.
	network string
	edges   []graphEdge
	// columns are those that the kind's own table gets, name and value. Kinds
	// without any have no rows in a table of their own.
	columns [][2]string
}

// graphEdge is a reference from n to row number to of another kind, with the
// consequence that the catalogue declares.
type graphEdge struct {
	relation, kind, to, onDelete string
	where                        string
}

// A twentieth of the machines stands in one large network.
const (
	inNetwork = "case when n % 20 = 0 then 0 else n % {aws_ec2_vpc} end"
	inSubnet  = "case when n % 20 = 0 then n / 20 % 4 else n % {aws_ec2_vpc} * 4 + n / 20 % 4 end"
	inGroup   = "case when n % 20 = 0 then n / 20 % 10 else n % {aws_ec2_vpc} * 10 + n / 20 % 10 end"
	baseGroup = "case when n % 20 = 0 then 9 else n % {aws_ec2_vpc} * 10 + 9 end"
	address   = "'10.' || n / 65536 % 256 || '.' || n / 256 % 256 || '.' || n % 256"
)

func network(to string) graphEdge { return graphEdge{"in", "aws_ec2_vpc", to, "block", ""} }

// graphEstate are the kinds: a million resources, three million edges.
var graphEstate = []graphKind{
	{kind: "aws_ec2_vpc", base: "network", rows: 500, network: "n"},
	{kind: "aws_ec2_subnet", base: "subnet", rows: 2000, network: "n / 4", edges: []graphEdge{network("n / 4")}},
	{kind: "aws_ec2_security_group", base: "security_group", rows: 5000, network: "n / 10", edges: []graphEdge{{"in", "aws_ec2_vpc", "n / 10", "cascade", ""}}},
	{kind: "aws_ec2_image", rows: 1000, network: "n % {aws_ec2_vpc}"},
	{kind: "aws_iam_role", base: "role", rows: 1000, network: "n % {aws_ec2_vpc}"},
	{kind: "aws_iam_instance_profile", base: "instance_profile", rows: 1000, network: "n % {aws_ec2_vpc}", edges: []graphEdge{{"assumes", "aws_iam_role", "n", "detach", ""}}},
	{
		kind: "aws_ec2_volume", base: "volume", rows: 240_000, network: inNetwork,
		columns: [][2]string{{"size", "n % 500 + 1"}, {"volume_type", "'gp3'"}, {"state", "case when n < {aws_ec2_instance} then 'in-use' else 'available' end"}},
	},
	{
		kind: "aws_ec2_network_interface", base: "network_interface", rows: 200_000, network: inNetwork,
		edges:   []graphEdge{{"in", "aws_ec2_subnet", inSubnet, "block", ""}, network(inNetwork), {"uses", "aws_ec2_security_group", inGroup, "block", ""}},
		columns: [][2]string{{"private_ip_address", address}, {"status", "'in-use'"}, {"description", "case when n % 100 = 0 then 'ELB app/balancer-' || n / 100 || '/1' end"}},
	},
	{
		kind: "aws_ec2_instance", base: "instance", rows: 200_000, network: inNetwork,
		edges: []graphEdge{
			{"in", "aws_ec2_subnet", inSubnet, "block", ""},
			network(inNetwork),
			{"uses", "aws_ec2_security_group", inGroup, "block", ""},
			{"uses", "aws_ec2_security_group", baseGroup, "block", inGroup + " <> " + baseGroup},
			{"uses", "aws_ec2_volume", "n", "block", ""},
			{"uses", "aws_ec2_network_interface", "n", "block", ""},
			{"uses", "aws_iam_instance_profile", "n % {aws_iam_instance_profile}", "block", ""},
			{"created_from", "aws_ec2_image", "n % {aws_ec2_image}", "none", ""},
		},
		columns: [][2]string{{"private_ip_address", address}, {"instance_type", "'m5.large'"}, {"state_name", "case when n % 4 = 3 then 'stopped' else 'running' end"}},
	},
	{kind: "aws_ec2_snapshot", base: "snapshot", rows: 190_000, network: inNetwork, edges: []graphEdge{{"created_from", "aws_ec2_volume", "n", "none", ""}}},
	{
		kind: "aws_ec2_eip", base: "ip_address", rows: 2000, network: "n % {aws_ec2_vpc}",
		edges:   []graphEdge{{"attached_to", "aws_ec2_network_interface", "n", "none", ""}},
		columns: [][2]string{{"public_ip", "'198.18.' || n / 256 % 256 || '.' || n % 256"}},
	},
	{
		kind: "aws_elbv2_load_balancer", base: "load_balancer", rows: 2000, network: "n % {aws_ec2_vpc}",
		edges:   []graphEdge{{"in", "aws_ec2_subnet", "n % {aws_ec2_vpc} * 4", "block", ""}, network("n % {aws_ec2_vpc}")},
		columns: [][2]string{{"dns_name", "'balancer-' || n || '.elb.example.org'"}, {"type", "'application'"}},
	},
	{kind: "aws_elbv2_listener", rows: 4000, network: "n / 2 % {aws_ec2_vpc}", edges: []graphEdge{
		{"in", "aws_elbv2_load_balancer", "n / 2", "cascade", ""}, {"targets", "aws_elbv2_target_group", "n", "block", ""},
	}},
	{kind: "aws_elbv2_target_group", rows: 4000, network: "n / 2 % {aws_ec2_vpc}", edges: []graphEdge{
		{"attached_to", "aws_elbv2_load_balancer", "n / 2", "none", ""},
		network("n / 2 % {aws_ec2_vpc}"),
		{"targets", "aws_ec2_instance", "n", "detach", ""},
		{"targets", "aws_ec2_instance", "n + 4000", "detach", ""},
	}},
	{
		kind: "aws_cloudwatch_alarm", rows: 10_000, network: inNetwork,
		columns: [][2]string{{"dimensions", `cast('[{"Name":"InstanceId","Value":"aws_ec2_instance-' || n || '"}]' as {json})`}},
	},
	{
		kind: "aws_route53_record", rows: 10_000, network: "n % {aws_ec2_vpc}",
		columns: [][2]string{{"type", "'CNAME'"}, {"value", "'balancer-' || n % 2000 || '.elb.example.org.'"}},
	},
	{
		kind: "aws_lambda_function", base: "serverless_function", rows: 5000, network: "n % {aws_ec2_vpc}",
		edges: []graphEdge{{"assumes", "aws_iam_role", "n % {aws_iam_role}", "block", ""}}, columns: [][2]string{{"runtime", "'go'"}},
	},
	{kind: "aws_logs_log_group", base: "log_group", rows: 5000, network: "n % {aws_ec2_vpc}", columns: [][2]string{{"stored_bytes", "n"}}},
	{kind: "kubernetes_cluster", base: "account", rows: 100},
	{kind: "kubernetes_namespace", base: "region", rows: 2000, edges: []graphEdge{{"in", "kubernetes_cluster", "n % 100", "none", ""}}},
	{kind: "kubernetes_node", base: "instance", rows: 4000, edges: []graphEdge{
		{"in", "kubernetes_cluster", "n % 100", "none", ""}, {"runs_on", "aws_ec2_instance", "n", "cascade", ""},
	}},
	{kind: "kubernetes_service_account", rows: 2000, edges: []graphEdge{
		{"in", "kubernetes_namespace", "n", "cascade", ""}, {"assumes", "aws_iam_role", "n % {aws_iam_role}", "block", ""},
	}},
	{kind: "kubernetes_config_map", rows: 4000, edges: []graphEdge{{"in", "kubernetes_namespace", "n % 2000", "cascade", ""}}},
	{kind: "kubernetes_deployment", rows: 16_000, edges: []graphEdge{
		{"in", "kubernetes_namespace", "n % 2000", "cascade", ""}, {"runs_as", "kubernetes_service_account", "n % 2000", "block", ""},
	}},
	{kind: "kubernetes_replica_set", rows: 16_000, edges: []graphEdge{
		{"in", "kubernetes_namespace", "n % 2000", "cascade", ""}, {"owned_by", "kubernetes_deployment", "n", "cascade", ""},
	}},
	{kind: "kubernetes_pod", rows: 80_000, edges: []graphEdge{
		{"in", "kubernetes_namespace", "n % 2000", "cascade", ""},
		{"owned_by", "kubernetes_replica_set", "n % 16000", "cascade", ""},
		{"runs_on", "kubernetes_node", "n % 4000", "block", ""},
		{"runs_as", "kubernetes_service_account", "n % 2000", "block", ""},
		{"reads", "kubernetes_config_map", "n % 4000", "block", ""},
		{"uses", "kubernetes_priority_class", "n % 2", "none", ""},
	}},
}

// graphDialect is what the databases spell differently.
type graphDialect struct{ schema, tags, json string }

var graphDialects = map[string]graphDialect{
	"duckdb":   {"main", "MAP {'owner': 'user-' || n % 211 || '@example.org', 'team': 'team-' || n % 23}", "json"},
	"postgres": {"dewpoint", "jsonb_build_object('owner', 'user-' || n % 211 || '@example.org', 'team', 'team-' || n % 23)", "jsonb"},
}

// graphID is the _id of row number n of a kind.
func graphID(kind, n string) string { return "cast(md5('" + kind + "-' || (" + n + ")) as uuid)" }

// graphSQL fills resources, edges and the tables of the kinds. What refers to a
// kind without rows finds nothing.
func graphSQL(dialect string) []string {
	d := graphDialects[dialect]
	names := []string{"{json}", d.json}
	rows := map[string]int{}
	for _, k := range graphEstate {
		rows[k.kind] = k.rows
		names = append(names, "{"+k.kind+"}", fmt.Sprint(k.rows))
	}
	fill := strings.NewReplacer(names...).Replace
	var all []string
	for _, k := range graphEstate {
		from := fmt.Sprintf(" FROM generate_series(0, %d) AS g(n)", k.rows-1)
		cloud, account, region := "'kubernetes'", "'cluster-' || n % 100", "'global'"
		if k.network != "" {
			cloud = "'aws'"
			account = "cast(100000000000 + (" + k.network + ") % 50 as varchar)"
			region = "'eu-west-' || ((" + k.network + ") % 4)"
		}
		id := "'" + k.kind + "-' || n"
		unified := []string{
			graphID(k.kind, "n"), id, "'" + k.kind[strings.LastIndexByte(k.kind, '_')+1:] + "-' || n", "'" + k.kind + "'",
			"case when n % 3 <> 0 then " + d.tags + " end", "cast('2025-01-01' as timestamptz) + interval '1 minute' * (n % 400000)",
			cloud, account, region, "'urn:" + k.kind + ":' || n",
		}
		columns := "_id, id, name, kind, tags, created_at, cloud, account, region, urn"
		base := "NULL"
		if k.base != "" {
			base = "'" + k.base + "'"
		}
		all = append(all, fill("INSERT INTO "+d.schema+".resources ("+columns+", _scope, base) SELECT "+strings.Join(unified, ", ")+", 'bench', "+base+from))
		if k.columns != nil {
			for _, c := range k.columns {
				columns += ", " + c[0]
				unified = append(unified, c[1])
			}
			all = append(all, fill("INSERT INTO "+d.schema+"."+k.kind+" ("+columns+") SELECT "+strings.Join(unified, ", ")+from))
		}
		for _, e := range k.edges {
			to, resolution := graphID(e.kind, e.to), "'id'"
			if rows[e.kind] == 0 {
				to, resolution = "NULL", "'not_collected'"
			}
			q := "INSERT INTO " + d.schema + ".edges (from_id, from_kind, relation, to_kind, to_ref, to_id, resolution, on_delete, _scope) SELECT " +
				strings.Join([]string{
					graphID(k.kind, "n"), "'" + k.kind + "'", "'" + e.relation + "'", "'" + e.kind + "'", "'" + e.kind + "-' || (" + e.to + ")", to, resolution,
					"'" + e.onDelete + "'", "'bench'",
				}, ", ") + from
			if e.where != "" {
				q += " WHERE " + e.where
			}
			all = append(all, fill(q))
		}
	}
	return all
}
