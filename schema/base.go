package schema

// Base maps a kind's columns into the unified view of its base, e.g. the
// columns of aws_ec2_instance into the view instances.
type Base struct {
	// Name is the base: instance, volume, snapshot, ...
	Name string `json:"name"`
	// Columns maps the base's columns to expressions over the kind's table.
	Columns map[string]BaseColumn `json:"columns,omitempty"`
}

// BaseColumn computes a base column from a column of the kind's table.
type BaseColumn struct {
	// Column is a column of the kind's table.
	Column string `json:"column,omitempty"`
	// Values maps the vendor's values to the base's; others become "unknown".
	Values map[string]string `json:"values,omitempty"`
	// Scale multiplies a number, 0 means 1.
	Scale float64 `json:"scale,omitempty"`
	// Present makes a boolean: the column is neither NULL nor empty. With
	// Values it makes a text, of those for "true" and "false".
	Present bool `json:"present,omitempty"`
	// Const is the value for every row of the kind.
	Const string `json:"const,omitempty"`
}

// BaseView describes one unified view over all kinds of a base.
type BaseView struct {
	Base    string
	View    string
	Doc     string
	Columns []Column
}

// BaseViews are the unified views. Each begins with the unified columns of
// the kind tables, without _scope, _hash and _unread, and goes on with these.
var BaseViews = []BaseView{
	{"account", "accounts", "Accounts, projects and clusters.", nil},
	{"region", "regions", "Regions and whether they are in use.", []Column{
		{Name: "region_in_use", Type: Bool, Doc: "The region is enabled for the account."},
	}},
	{"instance", "instances", "Virtual machines and nodes.", []Column{
		{Name: "instance_type", Type: Text, Doc: "The vendor's machine type."},
		{Name: "instance_status", Type: Text, Doc: "running, stopped, terminated, busy or unknown."},
		{Name: "instance_cores", Type: Float64, Doc: "Virtual CPUs."},
		{Name: "instance_memory_bytes", Type: Float64, Doc: "Memory in bytes."},
	}},
	{"instance_type", "instance_types", "Machine types on offer.", []Column{
		{Name: "instance_cores", Type: Float64, Doc: "Virtual CPUs."},
		{Name: "instance_memory_bytes", Type: Float64, Doc: "Memory in bytes."},
	}},
	{"volume", "volumes", "Block devices.", []Column{
		{Name: "volume_size_bytes", Type: Float64, Doc: "Size in bytes."},
		{Name: "volume_type", Type: Text, Doc: "The vendor's volume type."},
		{Name: "volume_status", Type: Text, Doc: "available, busy, error, deleted or unknown."},
		{Name: "volume_iops", Type: Float64, Doc: "Provisioned input/output operations a second."},
		{Name: "volume_throughput", Type: Float64, Doc: "Provisioned throughput in MiB/s."},
		{Name: "volume_encrypted", Type: Bool, Doc: "Encrypted at rest."},
	}},
	{"snapshot", "snapshots", "Snapshots of volumes and databases.", []Column{
		{Name: "snapshot_status", Type: Text, Doc: "The vendor's status."},
		{Name: "volume_id", Type: Text, Doc: "What was snapshotted."},
		{Name: "volume_size_bytes", Type: Float64, Doc: "Size of the source in bytes."},
		{Name: "encrypted", Type: Bool, Doc: "Encrypted at rest."},
		{Name: "owner_id", Type: Text, Doc: "The owning account."},
	}},
	{"database", "databases", "Managed databases.", []Column{
		{Name: "db_type", Type: Text, Doc: "Engine."},
		{Name: "db_status", Type: Text, Doc: "available, busy, error, stopped or unknown."},
		{Name: "db_endpoint", Type: Text, Doc: "Host name of the endpoint."},
		{Name: "db_version", Type: Text, Doc: "Engine version."},
		{Name: "db_publicly_accessible", Type: Bool, Doc: "Reachable from the internet."},
		{Name: "instance_type", Type: Text, Doc: "The vendor's instance class."},
		{Name: "volume_size_bytes", Type: Float64, Doc: "Storage in bytes."},
		{Name: "volume_iops", Type: Float64, Doc: "Provisioned input/output operations a second."},
		{Name: "volume_encrypted", Type: Bool, Doc: "Storage encrypted at rest."},
	}},
	{"load_balancer", "load_balancers", "Load balancers.", []Column{
		{Name: "lb_type", Type: Text, Doc: "classic, application, network or gateway."},
		{Name: "public", Type: Bool, Doc: "Has a public address."},
		{Name: "dns_name", Type: Text, Doc: "Host name."},
	}},
	{"bucket", "buckets", "Object stores.", []Column{
		{Name: "encryption_enabled", Type: Bool, Doc: "Default encryption is set."},
		{Name: "versioning_enabled", Type: Bool, Doc: "Versions are kept."},
	}},
	{"network", "networks", "Virtual networks.", []Column{
		{Name: "cidr_block", Type: Text, Doc: "Primary address range."},
	}},
	{"subnet", "subnets", "Subnets.", []Column{
		{Name: "cidr_block", Type: Text, Doc: "Address range."},
	}},
	{"network_interface", "network_interfaces", "Network interfaces.", []Column{
		{Name: "network_interface_status", Type: Text, Doc: "The vendor's status."},
		{Name: "network_interface_type", Type: Text, Doc: "The vendor's type."},
		{Name: "mac", Type: Text, Doc: "MAC address."},
		{Name: "private_ip", Type: Text, Doc: "Primary private address."},
		{Name: "public_ip", Type: Text, Doc: "Public address."},
	}},
	{"ip_address", "ip_addresses", "Reserved addresses.", []Column{
		{Name: "ip_address", Type: Text, Doc: "The address."},
	}},
	{"security_group", "security_groups", "Firewalls of instances.", nil},
	{"network_acl", "network_acls", "Firewalls of subnets.", nil},
	{"routing_table", "routing_tables", "Route tables.", nil},
	{"gateway", "gateways", "Internet, NAT and transit gateways.", nil},
	{"endpoint", "endpoints", "Private endpoints of services.", nil},
	{"peering_connection", "peering_connections", "Peerings of networks.", nil},
	{"tunnel", "tunnels", "VPN tunnels.", nil},
	{"health_check", "health_checks", "Health checks.", nil},
	{"autoscaling_group", "autoscaling_groups", "Groups that scale instances.", []Column{
		{Name: "min_size", Type: Float64, Doc: "Fewest members."},
		{Name: "max_size", Type: Float64, Doc: "Most members."},
	}},
	{"stack", "stacks", "Stacks of managed resources.", []Column{
		{Name: "stack_status", Type: Text, Doc: "The vendor's status."},
	}},
	{"kubernetes_cluster", "kubernetes_clusters", "Managed Kubernetes clusters.", []Column{
		{Name: "version", Type: Text, Doc: "Kubernetes version."},
		{Name: "endpoint", Type: Text, Doc: "API endpoint."},
	}},
	{"keypair", "keypairs", "SSH key pairs.", nil},
	{"user", "users", "Users.", nil},
	{"group", "groups", "Groups of users.", nil},
	{"role", "roles", "Roles.", nil},
	{"policy", "policies", "Policies.", nil},
	{"access_key", "access_keys", "Credentials of users and services.", []Column{
		{Name: "access_key_status", Type: Text, Doc: "The vendor's status."},
	}},
	{"encryption_key", "encryption_keys", "Keys of a key management service.", []Column{
		{Name: "key_status", Type: Text, Doc: "The vendor's status."},
	}},
	{"instance_profile", "instance_profiles", "Roles of instances.", nil},
	{"certificate", "certificates", "TLS certificates.", []Column{
		{Name: "expires_at", Type: Timestamp, Doc: "End of validity, UTC."},
		{Name: "dns_names", Type: TextList, Doc: "Names the certificate is for."},
	}},
	{"serverless_function", "serverless_functions", "Functions.", []Column{
		{Name: "memory_bytes", Type: Float64, Doc: "Memory limit in bytes."},
		{Name: "runtime", Type: Text, Doc: "Language runtime."},
	}},
	{"queue", "queues", "Message queues.", nil},
	{"topic", "topics", "Publish-subscribe topics.", nil},
	{"stream", "streams", "Event streams.", nil},
	{"network_share", "network_shares", "Shared file systems.", []Column{
		{Name: "share_size_bytes", Type: Float64, Doc: "Size in bytes."},
		{Name: "share_encrypted", Type: Bool, Doc: "Encrypted at rest."},
	}},
	{"dns_zone", "dns_zones", "DNS zones.", []Column{
		{Name: "private_zone", Type: Bool, Doc: "Visible to private networks only."},
	}},
	{"dns_record_set", "dns_record_sets", "DNS records.", []Column{
		{Name: "record_type", Type: Text, Doc: "A, AAAA, CNAME, ..."},
		{Name: "record_ttl", Type: Float64, Doc: "Time to live in seconds."},
	}},
	{"log_group", "log_groups", "Groups of logs.", []Column{
		{Name: "retention_days", Type: Float64, Doc: "Days kept; NULL is forever."},
		{Name: "stored_bytes", Type: Float64, Doc: "Size in bytes."},
	}},
	{"secret", "secrets", "Stored secrets, without their values.", nil},
	{"container_registry", "container_registries", "Container image repositories.", nil},
	{"firewall", "firewalls", "Web and network firewalls.", nil},
	{"quota", "quotas", "Service quotas.", []Column{
		{Name: "quota", Type: Float64, Doc: "The limit."},
		{Name: "quota_unit", Type: Text, Doc: "Unit of the limit."},
	}},
	{"organizational_root", "organizational_roots", "Roots of organisations.", nil},
	{"organizational_unit", "organizational_units", "Folders and organisational units.", nil},
}

// FindBaseView returns the view of a base.
func FindBaseView(base string) (BaseView, bool) {
	for _, v := range BaseViews {
		if v.Base == base {
			return v, true
		}
	}
	return BaseView{}, false
}
