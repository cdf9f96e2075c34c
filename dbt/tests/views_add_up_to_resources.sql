-- The unified views and the resources that are in none are all resources: each view has exactly the resources of its base.
with bases as (
    select base, count(*) as n from {{ source('dewpoint', 'resources') }} where base is not null and base <> '' group by base
), views as (
    select 'account' as base, count(*) as n from {{ ref('stg_accounts') }}
    union all
    select 'region' as base, count(*) as n from {{ ref('stg_regions') }}
    union all
    select 'instance' as base, count(*) as n from {{ ref('stg_instances') }}
    union all
    select 'instance_type' as base, count(*) as n from {{ ref('stg_instance_types') }}
    union all
    select 'volume' as base, count(*) as n from {{ ref('stg_volumes') }}
    union all
    select 'snapshot' as base, count(*) as n from {{ ref('stg_snapshots') }}
    union all
    select 'database' as base, count(*) as n from {{ ref('stg_databases') }}
    union all
    select 'load_balancer' as base, count(*) as n from {{ ref('stg_load_balancers') }}
    union all
    select 'bucket' as base, count(*) as n from {{ ref('stg_buckets') }}
    union all
    select 'network' as base, count(*) as n from {{ ref('stg_networks') }}
    union all
    select 'subnet' as base, count(*) as n from {{ ref('stg_subnets') }}
    union all
    select 'network_interface' as base, count(*) as n from {{ ref('stg_network_interfaces') }}
    union all
    select 'ip_address' as base, count(*) as n from {{ ref('stg_ip_addresses') }}
    union all
    select 'security_group' as base, count(*) as n from {{ ref('stg_security_groups') }}
    union all
    select 'network_acl' as base, count(*) as n from {{ ref('stg_network_acls') }}
    union all
    select 'routing_table' as base, count(*) as n from {{ ref('stg_routing_tables') }}
    union all
    select 'gateway' as base, count(*) as n from {{ ref('stg_gateways') }}
    union all
    select 'endpoint' as base, count(*) as n from {{ ref('stg_endpoints') }}
    union all
    select 'peering_connection' as base, count(*) as n from {{ ref('stg_peering_connections') }}
    union all
    select 'tunnel' as base, count(*) as n from {{ ref('stg_tunnels') }}
    union all
    select 'health_check' as base, count(*) as n from {{ ref('stg_health_checks') }}
    union all
    select 'autoscaling_group' as base, count(*) as n from {{ ref('stg_autoscaling_groups') }}
    union all
    select 'stack' as base, count(*) as n from {{ ref('stg_stacks') }}
    union all
    select 'kubernetes_cluster' as base, count(*) as n from {{ ref('stg_kubernetes_clusters') }}
    union all
    select 'keypair' as base, count(*) as n from {{ ref('stg_keypairs') }}
    union all
    select 'user' as base, count(*) as n from {{ ref('stg_users') }}
    union all
    select 'group' as base, count(*) as n from {{ ref('stg_groups') }}
    union all
    select 'role' as base, count(*) as n from {{ ref('stg_roles') }}
    union all
    select 'policy' as base, count(*) as n from {{ ref('stg_policies') }}
    union all
    select 'access_key' as base, count(*) as n from {{ ref('stg_access_keys') }}
    union all
    select 'encryption_key' as base, count(*) as n from {{ ref('stg_encryption_keys') }}
    union all
    select 'instance_profile' as base, count(*) as n from {{ ref('stg_instance_profiles') }}
    union all
    select 'certificate' as base, count(*) as n from {{ ref('stg_certificates') }}
    union all
    select 'serverless_function' as base, count(*) as n from {{ ref('stg_serverless_functions') }}
    union all
    select 'queue' as base, count(*) as n from {{ ref('stg_queues') }}
    union all
    select 'topic' as base, count(*) as n from {{ ref('stg_topics') }}
    union all
    select 'stream' as base, count(*) as n from {{ ref('stg_streams') }}
    union all
    select 'network_share' as base, count(*) as n from {{ ref('stg_network_shares') }}
    union all
    select 'dns_zone' as base, count(*) as n from {{ ref('stg_dns_zones') }}
    union all
    select 'dns_record_set' as base, count(*) as n from {{ ref('stg_dns_record_sets') }}
    union all
    select 'log_group' as base, count(*) as n from {{ ref('stg_log_groups') }}
    union all
    select 'secret' as base, count(*) as n from {{ ref('stg_secrets') }}
    union all
    select 'container_registry' as base, count(*) as n from {{ ref('stg_container_registries') }}
    union all
    select 'firewall' as base, count(*) as n from {{ ref('stg_firewalls') }}
    union all
    select 'quota' as base, count(*) as n from {{ ref('stg_quotas') }}
    union all
    select 'organizational_root' as base, count(*) as n from {{ ref('stg_organizational_roots') }}
    union all
    select 'organizational_unit' as base, count(*) as n from {{ ref('stg_organizational_units') }}
)

select v.base, v.n as in_view, b.n as in_resources
from views v full outer join bases b on b.base = v.base
where coalesce(v.n, 0) <> coalesce(b.n, 0)
