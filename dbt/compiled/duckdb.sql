--- Written by go generate with dbt: do not edit.
--- seed aws_managed_policies
--- seed prices
--- column as_of date
--- column price_usd double precision
--- view stg_accounts
-- Written by go generate: do not edit.
-- Accounts, projects and clusters.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."accounts" v
--- table account_names
-- What people call an account, project or cluster: its own name or, where it has none, its id. A name that two have is followed by
-- the id, so that they are never added up.
with named as (
    select r.cloud, r.account,
        -- A context of Kubernetes may be an ARN or gke_PROJECT_LOCATION_CLUSTER: its last part is the cluster.
        regexp_replace(min(nullif(a.name, '')), '^(.*/|gke_.*_)', '') as name
    from (select distinct cloud, account from {dewpoint}."resources") r
    left join {models}."stg_accounts" a on a.cloud = r.cloud and a.account = r.account and a.id = r.account
    group by r.cloud, r.account
)
select cloud, account,
    case when name is null then account
        when count(*) over (partition by name) > 1 then name || ' ' || account
        else name end as account_name
from named
--- view ingress_points
-- Where services and ingresses of Kubernetes are reached from outside: the addresses and host names of their load balancers, as
-- their status says.
select s._id, s.kind, s.name,
    (p.value ->> 'ip') as ip, lower(case when (p.value ->> 'hostname') like '%.' then substr((p.value ->> 'hostname'), 1, length((p.value ->> 'hostname')) - 1) else (p.value ->> 'hostname') end) as host
from {dewpoint}."kubernetes_service" s
cross join lateral (select unnest(cast(case when (s.status_load_balancer -> 'ingress') is null or json_type((s.status_load_balancer -> 'ingress')) = 'NULL' then null when json_type((s.status_load_balancer -> 'ingress')) = 'ARRAY' then (s.status_load_balancer -> 'ingress') else json_array((s.status_load_balancer -> 'ingress')) end as json[])) as value) as p
union all
select s._id, s.kind, s.name,
    (p.value ->> 'ip') as ip, lower(case when (p.value ->> 'hostname') like '%.' then substr((p.value ->> 'hostname'), 1, length((p.value ->> 'hostname')) - 1) else (p.value ->> 'hostname') end) as host
from {dewpoint}."kubernetes_ingress" s
cross join lateral (select unnest(cast(case when (s.status_load_balancer -> 'ingress') is null or json_type((s.status_load_balancer -> 'ingress')) = 'NULL' then null when json_type((s.status_load_balancer -> 'ingress')) = 'ARRAY' then (s.status_load_balancer -> 'ingress') else json_array((s.status_load_balancer -> 'ingress')) end as json[])) as value) as p
--- view stg_ip_addresses
-- Written by go generate: do not edit.
-- Reserved addresses.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.ip_address
from {dewpoint}."ip_addresses" v
--- view stg_network_interfaces
-- Written by go generate: do not edit.
-- Network interfaces.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.network_interface_status) as network_interface_status,
    v.network_interface_type,
    v.mac,
    v.private_ip,
    v.public_ip
from {dewpoint}."network_interfaces" v
--- table addresses
-- Every address and who has it. One row per address and resource.
with found as (
    select ip_address as ip, _id, true as reserved from {models}."stg_ip_addresses"
    union all
    select private_ip, _id, false from {models}."stg_network_interfaces"
    union all
    select public_ip, _id, false from {models}."stg_network_interfaces"
    union all
    select (a.value ->> 'PrivateIpAddress'), i._id, false
    from {dewpoint}."aws_ec2_network_interface" i
    cross join lateral (select unnest(cast(case when i.private_ip_addresses is null or json_type(i.private_ip_addresses) = 'NULL' then null when json_type(i.private_ip_addresses) = 'ARRAY' then i.private_ip_addresses else json_array(i.private_ip_addresses) end as json[])) as value) as a
    union all
    select public_ip_address, _id, false from {dewpoint}."aws_ec2_instance"
    union all
    select private_ip_address, _id, false from {dewpoint}."aws_ec2_instance"
    union all
    select (a.value ->> 'PublicIp'), g._id, false
    from {dewpoint}."aws_ec2_nat_gateway" g
    cross join lateral (select unnest(cast(case when g.nat_gateway_addresses is null or json_type(g.nat_gateway_addresses) = 'NULL' then null when json_type(g.nat_gateway_addresses) = 'ARRAY' then g.nat_gateway_addresses else json_array(g.nat_gateway_addresses) end as json[])) as value) as a
    union all
    select a.value, i._id, false
    from {dewpoint}."gcp_compute_instance" i
    cross join lateral (select unnest(i.private_ips) as value) as a
    union all
    select a.value, i._id, false
    from {dewpoint}."gcp_compute_instance" i
    cross join lateral (select unnest(i.public_ips) as value) as a
    union all
    select ip_address, _id, false from {dewpoint}."gcp_compute_forwarding_rule"
    union all
    -- A pod in its node's network has the node's address, not one of its own.
    select status_pod_ip, _id, false from {dewpoint}."kubernetes_pod" where status_pod_ip <> coalesce(status_host_ip, '')
    union all
    select (a.value ->> 'address'), n._id, false
    from {dewpoint}."kubernetes_node" n
    cross join lateral (select unnest(cast(case when n.status_addresses is null or json_type(n.status_addresses) = 'NULL' then null when json_type(n.status_addresses) = 'ARRAY' then n.status_addresses else json_array(n.status_addresses) end as json[])) as value) as a
    where (a.value ->> 'type') in ('InternalIP', 'ExternalIP')
    union all
    select spec_cluster_ip, _id, false from {dewpoint}."kubernetes_service" where spec_cluster_ip <> 'None'
    union all
    select ip, _id, false from {models}."ingress_points" where ip is not null
)
select
    f.ip, f._id, r.kind, r.account, r.region,
    case when f.ip like '10.%' or f.ip like '192.168.%' or f.ip like 'fc%' or f.ip like 'fd%' or f.ip like 'fe80%' or f.ip like '169.254.%'
        or (f.ip like '172.%' and length(split_part(f.ip, '.', 2)) = 2 and split_part(f.ip, '.', 2) between '16' and '31')
        then false else true end as public,
    max(case when f.reserved then 1 else 0 end) = 1 as reserved
from found f
join {dewpoint}."resources" r on r._id = f._id
where f.ip is not null and f.ip <> ''
group by f.ip, f._id, r.kind, r.account, r.region
--- table iam_permissions
-- Policy documents as rows: who (principal), may or may not (effect), do what (action), to what (resource). Actions and resources
-- are IAM's patterns. conditional rows hold only under a Condition, or say NotAction, NotResource or NotPrincipal, whose
-- opposite is not worked out: an allow of theirs is a maybe, a deny of theirs denies nothing here.
with documents as (
    select r._id as policy_id, r.kind as policy_kind, r.account, 'trust' as source, r.assume_role_policy_document as document
    from {dewpoint}."aws_iam_role" r
    union all
    select p._id, p.kind, p.account, 'inline', d.value
    from {dewpoint}."aws_iam_role" p
    cross join lateral (select unnest(cast(case when p.inline_policy_documents is null or json_type(p.inline_policy_documents) = 'NULL' then null when json_type(p.inline_policy_documents) = 'ARRAY' then p.inline_policy_documents else json_array(p.inline_policy_documents) end as json[])) as value) as d
    union all
    select p._id, p.kind, p.account, 'inline', d.value
    from {dewpoint}."aws_iam_user" p
    cross join lateral (select unnest(cast(case when p.inline_policy_documents is null or json_type(p.inline_policy_documents) = 'NULL' then null when json_type(p.inline_policy_documents) = 'ARRAY' then p.inline_policy_documents else json_array(p.inline_policy_documents) end as json[])) as value) as d
    union all
    select p._id, p.kind, p.account, 'inline', d.value
    from {dewpoint}."aws_iam_group" p
    cross join lateral (select unnest(cast(case when p.inline_policy_documents is null or json_type(p.inline_policy_documents) = 'NULL' then null when json_type(p.inline_policy_documents) = 'ARRAY' then p.inline_policy_documents else json_array(p.inline_policy_documents) end as json[])) as value) as d
    union all
    select v._id, v.kind, v.account, 'managed', (v.version_documents -> v.n)
    from (
        select _id, kind, account, version_documents, 0 as n from {dewpoint}."aws_iam_managed_policy"
        where version_ids[1] = default_version_id union all
        select _id, kind, account, version_documents, 1 as n from {dewpoint}."aws_iam_managed_policy"
        where version_ids[2] = default_version_id union all
        select _id, kind, account, version_documents, 2 as n from {dewpoint}."aws_iam_managed_policy"
        where version_ids[3] = default_version_id union all
        select _id, kind, account, version_documents, 3 as n from {dewpoint}."aws_iam_managed_policy"
        where version_ids[4] = default_version_id union all
        select _id, kind, account, version_documents, 4 as n from {dewpoint}."aws_iam_managed_policy"
        where version_ids[5] = default_version_id
    ) v
    union all
    select b._id, b.kind, b.account, 'bucket', b.policy
    from {dewpoint}."aws_s3_bucket" b
), statements as (
    select d.policy_id, d.policy_kind, d.account, d.source, s.value as statement
    from documents d
    cross join lateral (select unnest(cast(case when (d.document -> 'Statement') is null or json_type((d.document -> 'Statement')) = 'NULL' then null when json_type((d.document -> 'Statement')) = 'ARRAY' then (d.document -> 'Statement') else json_array((d.document -> 'Statement')) end as json[])) as value) as s
    where d.document is not null
), parts as (
    select policy_id, policy_kind, account, source,
        (statement ->> 'Effect') as effect,
        (statement -> 'Action') as actions,
        (statement -> 'Resource') as resources,
        (statement -> 'Principal') as principal,
        case when (statement -> 'NotAction') is not null then 1 else 0 end as not_action,
        case when (statement -> 'NotResource') is not null then 1 else 0 end as not_resource,
        case when (statement -> 'NotPrincipal') is not null then 1 else 0 end as not_principal,
        case when (statement -> 'Condition') is not null then 1 else 0 end as conditioned
    from statements
), acts as (
    select p.policy_id, p.policy_kind, p.account, p.source, p.effect, p.resources, p.principal, p.not_resource,
        p.not_action + p.not_resource + p.not_principal + p.conditioned > 0 as conditional,
        (a.value ->> '$') as action
    from parts p
    cross join lateral (select unnest(cast(case when p.actions is null or json_type(p.actions) = 'NULL' then null when json_type(p.actions) = 'ARRAY' then p.actions else json_array(p.actions) end as json[])) as value) as a
    union all
    select policy_id, policy_kind, account, source, effect, resources, principal, not_resource, true, '*'
    from parts where not_action = 1
), targets as (
    select a.policy_id, a.policy_kind, a.account, a.source, a.effect, a.principal, a.conditional, a.action,
        (r.value ->> '$') as resource
    from acts a
    cross join lateral (select unnest(cast(case when a.resources is null or json_type(a.resources) = 'NULL' then null when json_type(a.resources) = 'ARRAY' then a.resources else json_array(a.resources) end as json[])) as value) as r
    union all
    select policy_id, policy_kind, account, source, effect, principal, conditional, action, '*'
    from acts where not_resource = 1 or source = 'trust'
), principals as (
    select t.policy_id, t.policy_kind, t.account, t.source, t.effect, t.conditional, t.action, t.resource,
        cast(m.key as varchar) as principal_type, (v.value ->> '$') as principal
    from targets t
    cross join lateral (select unnest(json_keys(case when json_type(t.principal) = 'OBJECT' then t.principal end)) as key) as m_keys
cross join lateral (select m_keys.key as key, json_extract(t.principal, '$."' || m_keys.key || '"') as value) as m
    cross join lateral (select unnest(cast(case when m.value is null or json_type(m.value) = 'NULL' then null when json_type(m.value) = 'ARRAY' then m.value else json_array(m.value) end as json[])) as value) as v
    where t.source in ('trust', 'bucket')
    union all
    select policy_id, policy_kind, account, source, effect, conditional, action, resource, 'AWS', '*'
    from targets
    where source in ('trust', 'bucket') and (principal is null or json_type(principal) = 'VARCHAR')
    union all
    select policy_id, policy_kind, account, source, effect, conditional, action, resource, null, null
    from targets where source in ('inline', 'managed')
)
select distinct policy_id, policy_kind, account, source, effect, principal_type, principal, lower(action) as action, resource, conditional
from principals
--- table assumable_roles
-- Who can assume which role, by the roles' trust policies. principal_id is NULL where the principal is no resource that was read:
-- a service, an identity provider, another organisation's account.
with trusted as (
    select p.policy_id as role_id, p.account, p.principal_type, p.principal, p.conditional,
        case when p.principal like 'arn:%:root' then split_part(p.principal, ':', 5) else p.principal end as wanted
    from {models}."iam_permissions" p
    where p.source = 'trust' and p.effect = 'Allow' and p.action in ('sts:assumerole', 'sts:*', '*', 'sts:assumerolewithsaml', 'sts:assumerolewithwebidentity')
), principals as (
    select _id, kind, urn as name, account from {dewpoint}."resources"
    where kind in ('aws_iam_role', 'aws_iam_user') and urn is not null
    union all
    select _id, kind, id, account from {dewpoint}."resources" where kind = 'aws_sts_account'
)
select distinct t.role_id, r.name as role_name, t.account, t.principal_type, t.principal, x._id as principal_id, x.kind as principal_kind,
    t.conditional, coalesce(x.account <> t.account, t.principal like 'arn:%' and split_part(t.principal, ':', 5) not in ('', t.account)) as other_account
from trusted t
join {dewpoint}."resources" r on r._id = t.role_id
left join principals x on x.name = t.wanted and t.principal_type = 'AWS'
--- view declared_relationships
-- The edges that found their resource, typed and in the direction of their type. One row per pair and relation: the strictest
-- consequence counts where the vendor names a resource twice.
select
    case when turned then to_id else from_id end as from_id,
    case when turned then to_kind else from_kind end as from_kind,
    type,
    case when turned then from_id else to_id end as to_id,
    case when turned then from_kind else to_kind end as to_kind,
    relation,
    case when turned then 'to' else 'from' end as referrer,
    case strictness when 3 then 'cascade' when 2 then 'block' when 1 then 'detach' else 'none' end as on_delete,
    'declared' as origin
from (
    select
        e.from_id, e.to_id, e.relation,
        min(e.from_kind) as from_kind, min(coalesce(r.kind, e.to_kind)) as to_kind,
        case e.relation when 'in' then 'contains' when 'member_of' then 'contains' when 'runs_on' then 'contains' when 'endpoints_of' then 'contains' when 'contains' then 'contains' when 'owned_by' then 'owns' when 'managed_by' then 'owns' when 'manages' then 'owns' when 'attached_to' then 'attaches' when 'attaches' then 'attaches' when 'bound_to' then 'attaches' when 'claimed_by' then 'attaches' when 'protects' then 'attaches' when 'peered_with' then 'attaches' when 'targets' then 'routes' when 'targets_not_ready' then 'routes' when 'routes_to' then 'routes' when 'defaults_to' then 'routes' when 'exposed_by' then 'routes' when 'logs_to' then 'routes' when 'aliases' then 'routes' when 'calls' then 'routes' when 'selects' then 'routes' when 'triggered_by' then 'routes' when 'subscribes_to' then 'routes' when 'dead_letters_to' then 'routes' when 'assumes' then 'assumes' when 'runs_as' then 'assumes' else 'uses' end as type,
        e.relation in ('in', 'member_of', 'runs_on', 'endpoints_of', 'owned_by', 'managed_by', 'exposed_by', 'triggered_by', 'subscribes_to') as turned,
        max(case e.on_delete when 'cascade' then 3 when 'block' then 2 when 'detach' then 1 else 0 end) as strictness
    from {dewpoint}."edges" e
    left join {dewpoint}."resources" r on r._id = case when e.to_kind = '*' then e.to_id end
    where e.to_id is not null
    group by e.from_id, e.to_id, e.relation
) resolved
--- view derived_address_interface
-- A reserved address and what bears it, by the address.
select a._id as from_id, a.kind as from_kind, 'attaches' as type, b._id as to_id, b.kind as to_kind, 'bears' as relation
from {models}."addresses" a
join {models}."addresses" b on b.ip = a.ip and b.account = a.account and not b.reserved
where a.reserved and a.public
--- view derived_alarm_resource
-- An alarm and the resource that its dimensions name.
with dimensions as (
    select a._id, a.kind, a.account, a.region,
        (d.value ->> 'Name') as name, (d.value ->> 'Value') as value
    from {dewpoint}."aws_cloudwatch_alarm" a
    cross join lateral (select unnest(cast(case when a.dimensions is null or json_type(a.dimensions) = 'NULL' then null when json_type(a.dimensions) = 'ARRAY' then a.dimensions else json_array(a.dimensions) end as json[])) as value) as d
), named as (
    select d.*, k.to_kind
    from dimensions d
    join (
        select 'InstanceId' as name, 'aws_ec2_instance' as to_kind union all
        select 'VolumeId' as name, 'aws_ec2_volume' as to_kind union all
        select 'NatGatewayId' as name, 'aws_ec2_nat_gateway' as to_kind union all
        select 'DBInstanceIdentifier' as name, 'aws_rds_db_instance' as to_kind union all
        select 'DBClusterIdentifier' as name, 'aws_rds_db_cluster' as to_kind union all
        select 'QueueName' as name, 'aws_sqs_queue' as to_kind union all
        select 'TopicName' as name, 'aws_sns_topic' as to_kind union all
        select 'FunctionName' as name, 'aws_lambda_function' as to_kind union all
        select 'TableName' as name, 'aws_dynamodb_table' as to_kind union all
        select 'BucketName' as name, 'aws_s3_bucket' as to_kind union all
        select 'ClusterName' as name, 'aws_ecs_cluster' as to_kind union all
        select 'ClusterName' as name, 'aws_eks_cluster' as to_kind union all
        select 'AutoScalingGroupName' as name, 'aws_autoscaling_auto_scaling_group' as to_kind union all
        select 'LoadBalancerName' as name, 'aws_elb_load_balancer' as to_kind union all
        select 'LoadBalancer' as name, 'aws_elbv2_load_balancer' as to_kind union all
        select 'TargetGroup' as name, 'aws_elbv2_target_group' as to_kind union all
        select 'CacheClusterId' as name, 'aws_elasticache_cache_cluster' as to_kind union all
        select 'FileSystemId' as name, 'aws_efs_file_system' as to_kind union all
        select 'StreamName' as name, 'aws_kinesis_stream' as to_kind
    ) k on k.name = d.name
)
select n._id as from_id, n.kind as from_kind, 'uses' as type, r._id as to_id, r.kind as to_kind, 'monitors' as relation
from named n
join {dewpoint}."resources" r on r.kind = n.to_kind and r.account = n.account and r.region in (n.region, 'global')
    and (r.id = n.value or r.name = n.value or r.urn like '%:loadbalancer/' || n.value or (n.name = 'TargetGroup' and r.urn like '%:' || n.value))
--- view stg_load_balancers
-- Written by go generate: do not edit.
-- Load balancers.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.lb_type,
    v.public,
    v.dns_name
from {dewpoint}."load_balancers" v
--- view derived_balancer_service
-- A load balancer or forwarding rule of a cloud and the service or ingress of Kubernetes that it leads to, by the host name or the
-- public address that the cluster tells.
select l._id as from_id, l.kind as from_kind, 'routes' as type, p._id as to_id, p.kind as to_kind, 'exposes' as relation
from {models}."ingress_points" p
join {models}."stg_load_balancers" l on lower(case when l.dns_name like '%.' then substr(l.dns_name, 1, length(l.dns_name) - 1) else l.dns_name end) = p.host
where l.cloud <> 'kubernetes'
union
select f._id, f.kind, 'routes', p._id, p.kind, 'exposes'
from {models}."ingress_points" p
join {dewpoint}."gcp_compute_forwarding_rule" f on f.ip_address = p.ip
where f.load_balancing_scheme like 'EXTERNAL%'
--- view same_things
-- One thing that two kinds describe: a machine as a Kubernetes node and as an instance of its cloud, a disk as a persistent
-- volume and as a volume, a database cluster and its instances. canonical_id is the one that is counted.
with pairs as (
    select e.from_id as _id, min(cast(e.to_id as varchar)) as canonical
    from {dewpoint}."edges" e
    join {dewpoint}."resources" f on f._id = e.from_id
    join {dewpoint}."resources" t on t._id = e.to_id
    where f.base in ('instance', 'volume', 'database') and t.base = f.base and f._id <> t._id
        and (f.kind <> t.kind) and e.relation <> 'created_from'
    group by e.from_id
)
select p._id, cast(coalesce(further.canonical, p.canonical) as uuid) as canonical_id
from pairs p
left join pairs further on cast(further._id as varchar) = p.canonical
--- view stg_databases
-- Written by go generate: do not edit.
-- Managed databases.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.db_type,
    v.db_status,
    v.db_endpoint,
    v.db_version,
    v.db_publicly_accessible,
    v.instance_type,
    v.volume_size_bytes,
    v.volume_iops,
    v.volume_encrypted,
    coalesce(s.canonical_id, v._id) as canonical_id,
    s.canonical_id is null as counted
from {dewpoint}."databases" v
left join {models}."same_things" s on s._id = v._id
--- view derived_dns_target
-- A DNS record and what its value names: an address, or the host name of a load balancer, a database, a distribution.
with wanted as (
    select r._id, r.kind, r.type as record_type, lower(case when r.value like '%.' then substr(r.value, 1, length(r.value) - 1) else r.value end) as target
    from {dewpoint}."aws_route53_record" r
    where r.type in ('A', 'AAAA', 'CNAME')
    union all
    select s._id, s.kind, 'ALIAS', lower(case when s.alias_target_dns_name like '%.' then substr(s.alias_target_dns_name, 1, length(s.alias_target_dns_name) - 1) else s.alias_target_dns_name end)
    from {dewpoint}."aws_route53_record_set" s
    where s.alias_target_dns_name is not null
    union all
    select g._id, g.kind, g.type, lower(case when d.value like '%.' then substr(d.value, 1, length(d.value) - 1) else d.value end)
    from {dewpoint}."gcp_dns_record_set" g
    cross join lateral (select unnest(g.rrdatas) as value) as d
    where g.type in ('A', 'AAAA', 'CNAME')
), hosts as (
    select lower(case when dns_name like '%.' then substr(dns_name, 1, length(dns_name) - 1) else dns_name end) as host, _id, kind from {models}."stg_load_balancers" where dns_name is not null
    union all
    select lower(case when db_endpoint like '%.' then substr(db_endpoint, 1, length(db_endpoint) - 1) else db_endpoint end), _id, kind from {models}."stg_databases" where db_endpoint is not null
    union all
    select lower(case when domain_name like '%.' then substr(domain_name, 1, length(domain_name) - 1) else domain_name end), _id, kind from {dewpoint}."aws_cloudfront_distribution"
    union all
    select lower(case when name like '%.' then substr(name, 1, length(name) - 1) else name end), _id, kind from {dewpoint}."aws_route53_record_set" where type in ('A', 'AAAA', 'CNAME')
    union all
    select lower(case when name like '%.' then substr(name, 1, length(name) - 1) else name end), _id, kind from {dewpoint}."gcp_dns_record_set" where type in ('A', 'AAAA', 'CNAME')
)
select w._id as from_id, w.kind as from_kind, 'routes' as type, a._id as to_id, a.kind as to_kind, 'resolves_to' as relation
from wanted w
join {models}."addresses" a on a.ip = w.target
where w.record_type in ('A', 'AAAA') and a.public
union
select w._id, w.kind, 'routes', h._id, h.kind, 'resolves_to'
from wanted w
join hosts h on h.host = case when w.target like 'dualstack.%' then substr(w.target, 11) else w.target end
where w.record_type in ('CNAME', 'ALIAS') and h._id <> w._id
--- view derived_interface_balancer
-- A load balancer and the interfaces that AWS made for it, by their description: "ELB app/NAME/ID" or "ELB NAME".
select l._id as from_id, l.kind as from_kind, 'uses' as type, i._id as to_id, i.kind as to_kind, 'interface' as relation
from {dewpoint}."aws_ec2_network_interface" i
join {models}."stg_load_balancers" l on l.account = i.account and l.region = i.region and (
    (l.kind = 'aws_elb_load_balancer' and i.description = 'ELB ' || l.name)
    or (l.kind = 'aws_elbv2_load_balancer' and i.description = 'ELB ' || split_part(l.urn, ':loadbalancer/', 2)))
where i.description like 'ELB %'
--- view stg_log_groups
-- Written by go generate: do not edit.
-- Groups of logs.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.retention_days,
    v.stored_bytes
from {dewpoint}."log_groups" v
--- view stg_serverless_functions
-- Written by go generate: do not edit.
-- Functions.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.memory_bytes,
    v.runtime
from {dewpoint}."serverless_functions" v
--- view derived_log_group_function
-- A function and the log group that it writes to by default.
select f._id as from_id, f.kind as from_kind, 'owns' as type, g._id as to_id, g.kind as to_kind, 'logs' as relation
from {models}."stg_log_groups" g
join {models}."stg_serverless_functions" f
    on f.account = g.account and f.region = g.region and g.name = '/aws/lambda/' || f.name
where g.kind = 'aws_logs_log_group' and f.kind = 'aws_lambda_function'
--- view derived_role_assumption
-- A principal and the role whose trust policy lets it in.
select principal_id as from_id, principal_kind as from_kind, 'assumes' as type, role_id as to_id, 'aws_iam_role' as to_kind, 'trusted_by' as relation
from {models}."assumable_roles"
where principal_id is not null
--- table relationships
--- index from_id
--- index to_id
-- Who is related to whom: every edge that found its resource, and what no API states but joins tell. type is contains, uses,
-- attaches, routes, assumes or owns. referrer is the end that needs the other: from in "an instance uses a volume", to in "a
-- network contains a subnet". on_delete is what becomes of the referrer when the other end is deleted.
with derived as (
    select from_id, from_kind, type, to_id, to_kind, relation, 'address_interface' as origin from {models}."derived_address_interface" union all
    select from_id, from_kind, type, to_id, to_kind, relation, 'interface_balancer' as origin from {models}."derived_interface_balancer" union all
    select from_id, from_kind, type, to_id, to_kind, relation, 'dns_target' as origin from {models}."derived_dns_target" union all
    select from_id, from_kind, type, to_id, to_kind, relation, 'log_group_function' as origin from {models}."derived_log_group_function" union all
    select from_id, from_kind, type, to_id, to_kind, relation, 'alarm_resource' as origin from {models}."derived_alarm_resource" union all
    select from_id, from_kind, type, to_id, to_kind, relation, 'role_assumption' as origin from {models}."derived_role_assumption" union all
    select from_id, from_kind, type, to_id, to_kind, relation, 'balancer_service' as origin from {models}."derived_balancer_service"
), fresh as (
    select from_id, min(from_kind) as from_kind, type, to_id, min(to_kind) as to_kind, min(relation) as relation, min(origin) as origin
    from derived where from_id <> to_id
    group by from_id, type, to_id
)
select from_id, from_kind, type, to_id, to_kind, relation, referrer, on_delete, origin
from {models}."declared_relationships"
union all
select f.from_id, f.from_kind, f.type, f.to_id, f.to_kind, f.relation, 'from', 'none', f.origin
from fresh f
left join {dewpoint}."edges" e on e.from_id = f.from_id and e.to_id = f.to_id
where e.from_id is null
--- view flows
-- Where traffic goes on from a resource: along routes, from an address to what bears it, from an interface to what uses it, from
-- a load balancer to its listeners and target groups.
select distinct from_id, to_id, 1 as strength
from (
    select from_id, to_id from {models}."relationships"
    where (type = 'routes' and relation not in ('logs_to', 'targets_not_ready')) or relation = 'endpoints_of'
    union all
    select from_id, to_id from {models}."relationships" r join {models}."stg_ip_addresses" a on a._id = r.from_id where r.type = 'attaches'
    union all
    select r.to_id, r.from_id
    from {models}."relationships" r
    join {models}."stg_network_interfaces" i on i._id = r.to_id where r.type = 'uses'
    union all
    select r.to_id, r.from_id
    from {models}."relationships" r
    join {models}."stg_ip_addresses" a on a._id = r.to_id where r.type in ('uses', 'attaches') and r.origin = 'declared'
    union all
    select r.from_id, r.to_id
    from {models}."relationships" r
    join {models}."stg_load_balancers" l on l._id = r.from_id where r.type = 'contains'
    union all
    select r.to_id, r.from_id
    from {models}."relationships" r
    join {models}."stg_load_balancers" l on l._id = r.to_id where r.type = 'attaches'
) f
--- table reachable_from
--- index from_id
-- What traffic that comes to a resource reaches, in up to max_depth steps. One row per pair, with the fewest steps.
select from_id, to_id, depth from (
with level_1 as (
    select from_id, to_id, max(strength) as strength from {models}."flows" where from_id <> to_id group by from_id, to_id
),
level_2 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_1 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_3 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_2 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_4 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_3 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_5 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_4 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_6 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_5 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
levels as (
    select from_id, to_id, 1 as depth, strength from level_1 union all
    select from_id, to_id, 2 as depth, strength from level_2 union all
    select from_id, to_id, 3 as depth, strength from level_3 union all
    select from_id, to_id, 4 as depth, strength from level_4 union all
    select from_id, to_id, 5 as depth, strength from level_5 union all
    select from_id, to_id, 6 as depth, strength from level_6
)
select from_id, to_id, min(depth) as depth, max(strength) as strength from levels group by from_id, to_id
) c
order by from_id, to_id
--- view behind_address
-- What is behind an address: what has it, and what traffic to that reaches.
with found as (
    select ip, _id, 0 as depth from {models}."addresses"
    union all
    select a.ip, r.to_id, r.depth from {models}."addresses" a join {models}."reachable_from" r on r.from_id = a._id
)
select f.ip, f._id, min(f.depth) as depth, r.kind, r.id, r.name, r.account, r.region
from found f
join {dewpoint}."resources" r on r._id = f._id
group by f.ip, f._id, r.kind, r.id, r.name, r.account, r.region
--- table dependencies
--- index from_id
--- index to_id, strength
-- Who needs whom: the relationships whose referrer does not stay as it is when the other end is deleted. strength is 2 for a
-- cascade, 1 for a block, 0 for a detach, which only unlinks.
select
    case when referrer = 'from' then from_id else to_id end as from_id,
    case when referrer = 'from' then to_id else from_id end as to_id,
    case on_delete when 'cascade' then 2 when 'block' then 1 else 0 end as strength,
    type, relation
from {models}."relationships"
where on_delete in ('cascade', 'block', 'detach')
--- view closure_steps
-- The dependencies that the closure follows: what is only unlinked does not go down.
select from_id, to_id, strength from {models}."dependencies" where strength > 0
--- table closure
--- index to_id, from_id
--- index from_id
-- Everything that a resource needs, over up to max_depth steps: from_id needs to_id. strength is 2 where from_id goes with to_id,
-- 1 where it has to be deleted before it, 0 where it would only stop to work. One row per pair, with the fewest steps.
with level_1 as (
    select from_id, to_id, max(strength) as strength from {models}."closure_steps" where from_id <> to_id group by from_id, to_id
),
level_2 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_1 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_3 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_2 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_4 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_3 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_5 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_4 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_6 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_5 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
levels as (
    select from_id, to_id, 1 as depth, strength from level_1 union all
    select from_id, to_id, 2 as depth, strength from level_2 union all
    select from_id, to_id, 3 as depth, strength from level_3 union all
    select from_id, to_id, 4 as depth, strength from level_4 union all
    select from_id, to_id, 5 as depth, strength from level_5 union all
    select from_id, to_id, 6 as depth, strength from level_6
)
select from_id, to_id, min(depth) as depth, max(strength) as strength from levels group by from_id, to_id
order by to_id, from_id
--- view blast_radius
-- What goes down with a resource, and what blocks its deletion. effect is
--   goes      it is deleted with the resource,
--   blocks    it has to be deleted first, or the deletion is refused,
--   breaks    it needs something that goes,
--   detached  it loses a link and stays.
select to_id as resource_id, from_id as affected_id, depth,
    case strength when 2 then 'goes' when 1 then 'blocks' else 'breaks' end as effect
from {models}."closure"
union all
select d.to_id, d.from_id, 1, 'detached'
from {models}."dependencies" d
where d.strength = 0 and d.from_id <> d.to_id
    and not exists (select 1 from {models}."closure" c where c.to_id = d.to_id and c.from_id = d.from_id)
--- view iam_grants
-- The permissions of roles and users, from wherever they have them: inline, by a managed policy, by a group. AWS's own managed
-- policies are not read; the few that reach everything come from the seed aws_managed_policies.
with attached as (
    select p._id as holder_id, p.kind as holder_kind, p.account, a.value as policy_arn
    from {dewpoint}."aws_iam_role" p
    cross join lateral (select unnest(p.attached_policy_arns) as value) as a union all
    select p._id as holder_id, p.kind as holder_kind, p.account, a.value as policy_arn
    from {dewpoint}."aws_iam_user" p
    cross join lateral (select unnest(p.attached_policy_arns) as value) as a union all
    select p._id as holder_id, p.kind as holder_kind, p.account, a.value as policy_arn
    from {dewpoint}."aws_iam_group" p
    cross join lateral (select unnest(p.attached_policy_arns) as value) as a
), held as (
    select policy_id as holder_id, policy_kind as holder_kind, account, policy_id as via_id, effect, action, resource, conditional
    from {models}."iam_permissions" where source = 'inline'
    union all
    select a.holder_id, a.holder_kind, a.account, m._id, p.effect, p.action, p.resource, p.conditional
    from attached a
    join {dewpoint}."aws_iam_managed_policy" m on m.arn = a.policy_arn
    join {models}."iam_permissions" p on p.policy_id = m._id and p.source = 'managed'
    union all
    select a.holder_id, a.holder_kind, a.account, a.holder_id, m.effect, lower(m.action), m.resource, false
    from attached a
    join {models}."aws_managed_policies" m on a.policy_arn like 'arn:%:iam::aws:policy/' || m.policy
)
select holder_id as principal_id, holder_kind as principal_kind, account, via_id, effect, action, resource, conditional
from held where holder_kind <> 'aws_iam_group'
union all
select u._id, u.kind, u.account, h.via_id, h.effect, h.action, h.resource, h.conditional
from held h
join {models}."declared_relationships" g on g.from_id = h.holder_id and g.type = 'contains'
join {dewpoint}."aws_iam_user" u on u._id = g.to_id
where h.holder_kind = 'aws_iam_group'
--- table bucket_access
-- Which role or user reaches which bucket, and for what: read, write or administer. What is allowed by an identity's policies in
-- the bucket's account, or by the bucket's policy (to another account both are needed), and not denied without condition by
-- either. conditional: only under a Condition. partial: only below a prefix. Boundaries, service control policies and access
-- points are not part of it. A principal that is NULL is everybody.
with probes as (
    select 'read' as access, 's3:getobject' as action, '/*' as suffix union all
    select 'read', 's3:listbucket', '' union all
    select 'write', 's3:putobject', '/*' union all
    select 'write', 's3:deleteobject', '/*' union all
    select 'administer', 's3:putbucketpolicy', '' union all
    select 'administer', 's3:deletebucket', ''
), buckets as (
    select _id, account, coalesce(urn, 'arn:aws:s3:::' || id) as arn from {dewpoint}."aws_s3_bucket"
), grants as (
    select g.principal_id, g.principal_kind, g.account, g.via_id, g.effect, g.resource, g.conditional, p.access, p.action, p.suffix
    from {models}."iam_grants" g
    join probes p on p.action like replace(replace(replace(replace(replace(g.action, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') escape '!'
    where g.resource = '*' or g.resource like 'arn:%:s3:::%' or g.resource like 'arn:*' or g.resource like '*%'
), named as (
    -- What the buckets' own policies say, with the principals that they name.
    select b._id as bucket_id, b.arn, b.account as bucket_account, q.effect, q.resource, q.conditional, p.access, p.action, p.suffix,
        r._id as principal_id, r.kind as principal_kind, r.account as principal_account, q.principal
    from {models}."iam_permissions" q
    join buckets b on b._id = q.policy_id
    join probes p on p.action like replace(replace(replace(replace(replace(q.action, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') escape '!'
    left join {dewpoint}."resources" r on r.kind in ('aws_iam_role', 'aws_iam_user') and r.urn = q.principal
    where q.source = 'bucket' and q.principal_type = 'AWS'
), by_identity as (
    select g.principal_id, g.principal_kind, g.account as principal_account, b._id as bucket_id, b.account as bucket_account,
        g.access, g.action, g.effect, g.conditional, g.via_id,
        not (b.arn || g.suffix like replace(replace(replace(replace(replace(g.resource, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') escape '!') as partial
    from grants g
    join buckets b on b.arn || g.suffix like replace(replace(replace(replace(replace(g.resource, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') escape '!' or (g.suffix <> '' and g.resource like b.arn || '/%')
    where g.account = b.account or exists (select 1 from named n where n.bucket_id = b._id and n.principal_id = g.principal_id and n.effect = 'Allow')
), by_bucket as (
    select principal_id, principal_kind, principal_account, bucket_id, bucket_account, access, action, effect, conditional, bucket_id as via_id,
        not (arn || suffix like replace(replace(replace(replace(replace(resource, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') escape '!') as partial
    from named
    where (principal_id is not null or principal = '*')
        and (arn || suffix like replace(replace(replace(replace(replace(resource, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') escape '!' or (suffix <> '' and resource like arn || '/%'))
), allowed as (
    select i.principal_id, i.principal_kind, i.bucket_id, i.access, i.action, i.via_id, i.conditional, i.partial
    from by_identity i
    where i.effect = 'Allow' and (i.principal_account = i.bucket_account
        or exists (select 1 from by_bucket b where b.bucket_id = i.bucket_id and b.principal_id = i.principal_id and b.action = i.action and b.effect = 'Allow'))
    union all
    select b.principal_id, b.principal_kind, b.bucket_id, b.access, b.action, b.via_id, b.conditional, b.partial
    from by_bucket b
    where b.effect = 'Allow' and (b.principal_id is null or b.principal_account = b.bucket_account)
), denied as (
    select principal_id, bucket_id, action from by_identity where effect = 'Deny' and not conditional and not partial
    union
    select principal_id, bucket_id, action from by_bucket where effect = 'Deny' and not conditional and not partial
)
select a.bucket_id, a.principal_id, a.principal_kind, a.access, a.action, min(cast(a.via_id as varchar)) as via_id,
    min(case when a.conditional then 1 else 0 end) = 1 as conditional, min(case when a.partial then 1 else 0 end) = 1 as partial
from allowed a
where not exists (
    select 1 from denied d where d.bucket_id = a.bucket_id and d.action = a.action and (d.principal_id = a.principal_id or d.principal_id is null))
group by a.bucket_id, a.principal_id, a.principal_kind, a.access, a.action
--- table resource_ends
-- Resources that ended, from the history: when, how old they were, whose they were.
select h._id, h.kind, (h.doc ->> 'id') as id, (h.doc ->> 'name') as name,
    (h.doc ->> 'cloud') as cloud, (h.doc ->> 'account') as account, (h.doc ->> 'region') as region,
    coalesce(nullif(((h.doc -> 'tags') ->> 'owner'), ''), nullif(((h.doc -> 'tags') ->> 'Owner'), ''), nullif(((h.doc -> 'tags') ->> 'OWNER'), ''), nullif(((h.doc -> 'tags') ->> 'created_by'), ''), nullif(((h.doc -> 'tags') ->> 'creator'), '')) as owner,
    coalesce(nullif(((h.doc -> 'tags') ->> 'team'), ''), nullif(((h.doc -> 'tags') ->> 'Team'), ''), nullif(((h.doc -> 'tags') ->> 'TEAM'), '')) as team,
    h.change, cast((h.doc ->> 'created_at') as timestamptz) as created_at, h.valid_to as ended_at,
    ((epoch(h.valid_to) - epoch(cast((h.doc ->> 'created_at') as timestamptz))) / 86400.0) as lifetime_days
from {dewpoint}."resource_history" h
where h.change in ('deleted', 'account_closed')
--- table churn
-- What was created and what ended, per day and kind. Days are UTC.
with events as (
    select cast((created_at) at time zone 'UTC' as date) as day, cloud, account, kind, 1 as created, 0 as ended
    from {dewpoint}."resources" where created_at is not null
    union all
    select cast((created_at) at time zone 'UTC' as date), cloud, account, kind, 1, 0 from {models}."resource_ends" where created_at is not null
    union all
    select cast((ended_at) at time zone 'UTC' as date), cloud, account, kind, 0, 1 from {models}."resource_ends"
)
select day, cloud, account, kind, cast(sum(created) as bigint) as created, cast(sum(ended) as bigint) as ended
from events group by day, cloud, account, kind
--- view stg_regions
-- Written by go generate: do not edit.
-- Regions and whether they are in use.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.region_in_use
from {dewpoint}."regions" v
--- table containment
-- Where a resource is: its account and region as resources, and the nearest network, subnet and cluster that it is in, by
-- whatever path. One row per resource.
with homes as (
    select c.from_id as _id, r.base, c.to_id, c.depth,
        row_number() over (partition by c.from_id, r.base order by c.depth, cast(c.to_id as varchar)) as nearest
    from {models}."closure" c
    join {dewpoint}."resources" r on r._id = c.to_id
    where r.base in ('network', 'subnet', 'kubernetes_cluster')
), accounts as (
    select cloud, account, min(cast(_id as varchar)) as _id from {models}."stg_accounts" group by cloud, account
), regions as (
    select cloud, account, name, min(cast(_id as varchar)) as _id from {models}."stg_regions" group by cloud, account, name
), nearest as (
    select _id,
        max(case when base = 'network' then cast(to_id as varchar) end) as network_id,
        max(case when base = 'subnet' then cast(to_id as varchar) end) as subnet_id,
        max(case when base = 'kubernetes_cluster' then cast(to_id as varchar) end) as cluster_id
    from homes where nearest = 1 group by _id
)
select
    r._id, r.kind, r.cloud, r.account, r.region,
    cast(a._id as uuid) as account_id,
    cast(g._id as uuid) as region_id,
    cast(n.network_id as uuid) as network_id,
    cast(n.subnet_id as uuid) as subnet_id,
    cast(n.cluster_id as uuid) as cluster_id
from {dewpoint}."resources" r
left join accounts a on a.cloud = r.cloud and a.account = r.account
left join regions g on g.cloud = r.cloud and g.account = r.account and g.name = r.region
left join nearest n on n._id = r._id
--- table resource_owners
--- index _id
-- Who owns a resource and which team, by its tags or, where it has none, by those of what it hangs on: the instance of a volume,
-- the volume of a snapshot. owner_from says which. One row per resource.
with tagged as (
    select _id,
        coalesce(nullif(tags['owner'], ''), nullif(tags['Owner'], ''), nullif(tags['OWNER'], ''), nullif(tags['created_by'], ''), nullif(tags['creator'], '')) as owner,
        coalesce(nullif(tags['team'], ''), nullif(tags['Team'], ''), nullif(tags['TEAM'], '')) as team
    from {dewpoint}."resources"
), hands as (
    -- From the one that is used to the one that uses it, and from the copy to what it was made from.
    select r.to_id as _id, t.owner, t.team
    from {models}."relationships" r
    join tagged t on t._id = r.from_id
    where r.type in ('uses', 'attaches', 'owns') and r.referrer = 'from' and r.relation not in ('created_from', 'monitors')
    union all
    select r.from_id, t.owner, t.team
    from {models}."relationships" r
    join tagged t on t._id = r.to_id
    where r.relation = 'created_from'
), inherited as (
    -- Only what all of them agree on.
    select _id,
        case when min(owner) = max(owner) then min(owner) end as owner,
        case when min(team) = max(team) then min(team) end as team
    from hands group by _id
)
select r._id, r.kind, r.cloud, r.account, r.region,
    coalesce(t.owner, i.owner) as owner, coalesce(t.team, i.team) as team,
    case when t.owner is not null or t.team is not null then 'tags'
        when i.owner is not null or i.team is not null then 'neighbour' end as owner_from
from {dewpoint}."resources" r
join tagged t on t._id = r._id
left join inherited i on i._id = r._id
--- view stg_instance_types
-- Written by go generate: do not edit.
-- Machine types on offer.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.instance_cores,
    v.instance_memory_bytes
from {dewpoint}."instance_types" v
--- view node_status
-- Whether the nodes of Kubernetes are ready, by their condition Ready, and what that is as the status of an instance: a node that
-- is not ready is busy, one that is not heard of is unknown.
select n._id, max((c.value ->> 'status')) as ready,
    case max((c.value ->> 'status')) when 'True' then 'running' when 'False' then 'busy' else 'unknown' end as instance_status
from {dewpoint}."kubernetes_node" n
cross join lateral (select unnest(cast(case when n.status_conditions is null or json_type(n.status_conditions) = 'NULL' then null when json_type(n.status_conditions) = 'ARRAY' then n.status_conditions else json_array(n.status_conditions) end as json[])) as value) as c
where (c.value ->> 'type') = 'Ready'
group by n._id
--- view stg_instances
-- Written by go generate: do not edit.
-- Virtual machines and nodes.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.instance_type,
    coalesce(v.instance_status, n.instance_status) as instance_status,
    v.instance_cores,
    v.instance_memory_bytes,
    coalesce(s.canonical_id, v._id) as canonical_id,
    s.canonical_id is null as counted
from {dewpoint}."instances" v
left join {models}."same_things" s on s._id = v._id
left join {models}."node_status" n on n._id = v._id
--- view stg_volumes
-- Written by go generate: do not edit.
-- Block devices.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.volume_size_bytes,
    v.volume_type,
    v.volume_status,
    v.volume_iops,
    v.volume_throughput,
    v.volume_encrypted,
    coalesce(s.canonical_id, v._id) as canonical_id,
    s.canonical_id is null as counted
from {dewpoint}."volumes" v
left join {models}."same_things" s on s._id = v._id
--- table resource_costs
--- index _id
-- What a resource costs at list price while it stands as it is, in US dollars without tax: an estimate from the seed prices, on demand,
-- without data transfer, requests, discounts and commitments. basis tells what it is made of. A resource whose price is not known
-- has hourly_usd NULL and missing true: no total is one without the number of those. One row per billable part of a resource.
with sizes as (
    -- What Google's machine types have: their price is that of their cores and memory. Those that share a core pay for a part of it.
    select name, region, max(instance_cores) as cores, max(instance_memory_bytes) / 1073741824.0 as memory_gib
    from {models}."stg_instance_types" where cloud = 'gcp' group by name, region
), google as (
    select i._id, i.cloud, i.region, split_part(i.instance_type, '-', 1) as family, i.instance_status <> 'running' as idle,
        case i.instance_type when 'e2-micro' then 0.25 when 'e2-small' then 0.5 when 'e2-medium' then 1.0
            else cast(s.cores as double precision) end as cores,
        case i.instance_type when 'e2-micro' then 1.0 when 'e2-small' then 2.0 when 'e2-medium' then 4.0
            else cast(s.memory_gib as double precision) end as memory_gib
    from {models}."stg_instances" i
    left join sizes s on s.name = i.instance_type and s.region = i.region
    where i.cloud = 'gcp' and i.counted and i.instance_status <> 'terminated'
), parts as (
    select _id, 'cores' as part, cloud, region, 'cores' as item_kind, family as item, '' as variant, cores as quantity, 'hour' as unit,
        idle, 'not running' as idle_reason
    from google
    union all
    select _id, 'memory', cloud, region, 'memory', family, '', memory_gib, 'hour', idle, 'not running' from google
    union all
    select i._id, 'instance' as part, i.cloud, i.region, 'instance' as item_kind, i.instance_type as item,
        case when lower(coalesce(x.platform, '')) like 'windows%' then 'windows'
            when lower(coalesce(x.platform_details, '')) like 'red hat%' then 'rhel'
            when lower(coalesce(x.platform_details, '')) like 'suse%' then 'suse' else 'linux' end as variant,
        1.0 as quantity, 'hour' as unit, i.instance_status <> 'running' as idle, 'not running' as idle_reason
    from {models}."stg_instances" i
    left join {dewpoint}."aws_ec2_instance" x on x._id = i._id
    where i.counted and i.instance_status <> 'terminated' and i.cloud <> 'gcp'
    union all
    select _id, 'storage', cloud, region, 'volume', volume_type, '', volume_size_bytes / 1073741824.0, 'gb_month', false, ''
    from {models}."stg_volumes" where counted
    union all
    -- General purpose volumes of the third generation bring 3,000 operations and 125 MiB a second.
    select _id, 'operations', cloud, region, 'volume_iops', volume_type, '',
        volume_iops - case when volume_type = 'gp3' then 3000 else 0 end, 'iops_month', false, ''
    from {models}."stg_volumes"
    where counted and ((volume_type = 'gp3' and volume_iops > 3000) or volume_type in ('io1', 'io2'))
    union all
    select _id, 'throughput', cloud, region, 'volume_throughput', volume_type, '', volume_throughput - 125, 'mibps_month', false, ''
    from {models}."stg_volumes" where counted and volume_type = 'gp3' and volume_throughput > 125
    union all
    select d._id, 'instance', d.cloud, d.region, 'database', d.instance_type,
        lower(coalesce(d.db_type, '')) || case when coalesce(x.multi_az, false) then ' multi-az' else '' end, 1.0, 'hour',
        d.db_status = 'stopped', 'stopped'
    from {models}."stg_databases" d
    left join {dewpoint}."aws_rds_db_instance" x on x._id = d._id
    where d.instance_type is not null
    union all
    select d._id, 'storage', d.cloud, d.region, 'database_storage', coalesce(x.storage_type, ''),
        case when coalesce(x.multi_az, false) then 'multi-az' else '' end, d.volume_size_bytes / 1073741824.0, 'gb_month', false, ''
    from {models}."stg_databases" d
    left join {dewpoint}."aws_rds_db_instance" x on x._id = d._id
    where d.volume_size_bytes > 0 and lower(coalesce(d.db_type, '')) not like 'aurora%'
    union all
    select _id, 'hours', cloud, region, 'load_balancer', lb_type, '', 1.0, 'hour', false, '' from {models}."stg_load_balancers"
    where cloud <> 'kubernetes' -- what a service or an ingress costs is that of its cloud's load balancer
    union all
    select _id, 'hours', cloud, region, 'address', 'public', '', 1.0, 'hour', false, '' from {models}."stg_ip_addresses"
    union all
    select _id, 'hours', cloud, region, 'nat_gateway', '', '', 1.0, 'hour', coalesce(state in ('deleted', 'failed'), false), 'deleted'
    from {dewpoint}."aws_ec2_nat_gateway"
), priced as (
    -- Of several prices the newest counts.
    select cloud, region, item_kind, item, variant, unit, price_usd, as_of, source,
        row_number() over (partition by cloud, region, item_kind, coalesce(item, ''), coalesce(variant, ''), unit order by as_of desc, price_usd) as newest
    from {models}."prices"
)
select p._id, p.part, r.kind, r.id, r.name, r.cloud, r.account, r.region, o.owner, o.team,
    case when p.idle then 0.0 else p.quantity * q.price_usd / case when p.unit = 'hour' then 1.0 else 730.0 end end as hourly_usd,
    case when p.idle then 0.0 else p.quantity * q.price_usd * case when p.unit = 'hour' then 730.0 else 1.0 end end as monthly_usd,
    not p.idle and (q.price_usd is null or p.quantity is null) as missing,
    case when p.idle then p.idle_reason
        when p.quantity is null and q.price_usd is not null then 'the size is not known: read gcp_compute_machine_type too'
        when q.price_usd is null then 'no price of ' || p.item_kind || ' ' || coalesce(p.item, '') || ' ' || p.variant || ' in ' || p.region
        else p.item_kind || ' ' || coalesce(p.item, '') || ' ' || p.variant || ' per ' || p.unit || ', on demand, ' || q.source || ', '
            || cast(q.as_of as varchar) end as basis
from parts p
join {dewpoint}."resources" r on r._id = p._id
left join {models}."resource_owners" o on o._id = p._id
left join priced q on q.newest = 1 and q.cloud = p.cloud and q.region = case when p.cloud = 'gcp' and p.region like '%-_' then substr(p.region, 1, length(p.region) - 2) else p.region end and q.item_kind = p.item_kind
    and coalesce(q.item, '') = coalesce(p.item, '') and coalesce(q.variant, '') = p.variant and q.unit = p.unit
--- view costs
-- Estimated costs per account, region, kind and team. missing is how many parts have no price: they are not in the sums.
select cloud, account, region, kind, coalesce(team, 'unknown') as team, count(distinct _id) as resources,
    sum(hourly_usd) as hourly_usd, sum(monthly_usd) as monthly_usd,
    sum(case when missing then 1 else 0 end) as missing, count(*) as parts
from {models}."resource_costs"
group by cloud, account, region, kind, coalesce(team, 'unknown')
--- table expirations
-- Resources with a tag that names a day they end. A value that is no date stands with expires_on NULL and valid false.
with tagged as (
    select _id, kind, id, name, account, region, coalesce(nullif(tags['expires'], ''), nullif(tags['expiration'], ''), nullif(tags['Expires'], ''), nullif(tags['Expiration'], ''), nullif(tags['expires_at'], '')) as value
    from {dewpoint}."resources"
), dated as (
    select *, try_cast(substr(value, 1, 10) as date) as expires_on from tagged where value is not null
)
select d._id, d.kind, d.id, d.name, d.account, d.region, o.owner, o.team, d.value, d.expires_on,
    d.expires_on is not null or lower(d.value) = 'never' as valid,
    coalesce(d.expires_on < cast((now()) at time zone 'UTC' as date), false) as expired
from dated d
left join {models}."resource_owners" o on o._id = d._id
--- table freshness
-- How the last reading of each scope ended and how long ago it was last complete.
select cloud, account, region, kind, state, last_complete,
    ((epoch(now()) - epoch(last_complete)) / 86400.0) * 24 as age_hours,
    state in ('complete', 'not_applicable') as complete,
    state not in ('not_applicable', 'skipped') and coalesce(((epoch(now()) - epoch(last_complete)) / 86400.0) * 24 > 24, true) as stale
from {dewpoint}."scope_freshness"
--- table graph_nodes
--- index _id
-- How many relationships a resource has. A hub has more than hub_degree: path does not pass through it, for what two resources
-- share with thousands of others says nothing about them.
with ends as (
    select from_id as _id, count(*) as n from {models}."relationships" group by from_id
    union all
    select to_id, count(*) from {models}."relationships" group by to_id
)
select _id, cast(sum(n) as bigint) as degree, sum(n) > 200 as is_hub
from ends group by _id
--- table inventory
-- What there is now, per kind, account, region and team; things that two kinds describe count once.
select r.cloud, r.account, r.region, r.kind, r.base, coalesce(o.team, 'unknown') as team,
    count(*) as resources,
    sum(case when s._id is null then 1 else 0 end) as counted
from {dewpoint}."resources" r
left join {models}."resource_owners" o on o._id = r._id
left join {models}."same_things" s on s._id = r._id
group by r.cloud, r.account, r.region, r.kind, r.base, coalesce(o.team, 'unknown')
--- table inventory_daily
-- How many there were at the end of each day on which something changed, per kind and account. What the cloud tells no date of
-- counts from before the first day.
with undated as (
    select cloud, account, kind, count(*) as n from {dewpoint}."resources" where created_at is null group by cloud, account, kind
), undated_ends as (
    select cloud, account, kind, count(*) as n from {models}."resource_ends" where created_at is null group by cloud, account, kind
)
select c.day, c.cloud, c.account, c.kind, c.created, c.ended,
    cast(coalesce(u.n, 0) + coalesce(x.n, 0) + sum(c.created - c.ended) over (partition by c.cloud, c.account, c.kind order by c.day rows unbounded preceding) as bigint) as total
from {models}."churn" c
left join undated u on u.cloud = c.cloud and u.account = c.account and u.kind = c.kind
left join undated_ends x on x.cloud = c.cloud and x.account = c.account and x.kind = c.kind
--- table resource_ages
-- How old a resource is, by its own date or, where the cloud tells none, by when dewpoint saw it first since the last change.
select r._id, r.kind, r.base, r.cloud, r.account, r.region, o.owner, o.team, r.created_at,
    ((epoch(now()) - epoch(r.created_at)) / 86400.0) as age_days,
    case
        when r.created_at is null then 'unknown'
        when ((epoch(now()) - epoch(r.created_at)) / 86400.0) < 1 then '0 to 1 day'
        when ((epoch(now()) - epoch(r.created_at)) / 86400.0) < 7 then '1 to 7 days'
        when ((epoch(now()) - epoch(r.created_at)) / 86400.0) < 30 then '7 to 30 days'
        when ((epoch(now()) - epoch(r.created_at)) / 86400.0) < 90 then '30 to 90 days'
        when ((epoch(now()) - epoch(r.created_at)) / 86400.0) < 365 then '90 to 365 days'
        else 'over a year'
    end as age_band
from {dewpoint}."resources" r
left join {models}."resource_owners" o on o._id = r._id
--- table lifetimes
-- The distribution of ages of what there is, and of lifetimes of what ended, per team and kind.
with spans as (
    select 'standing' as state, coalesce(team, 'unknown') as team, kind, age_days as days from {models}."resource_ages" where age_days is not null
    union all
    select 'ended', coalesce(team, 'unknown'), kind, lifetime_days from {models}."resource_ends" where lifetime_days is not null
), ranked as (
    select state, team, kind, days,
        row_number() over (partition by state, team, kind order by days) as n,
        count(*) over (partition by state, team, kind) as total
    from spans
)
select state, team, kind, max(total) as resources, min(days) as shortest_days,
    max(case when n = cast(ceil(total * 0.5) as int) then days end) as median_days,
    max(case when n = cast(ceil(total * 0.9) as int) then days end) as p90_days,
    max(days) as longest_days
from ranked
group by state, team, kind
--- view lineage_steps
-- What was made of what, in single steps: a snapshot of its volume, an image of its snapshots, a volume of its snapshot, an instance
-- of its image.
select r.from_id, r.to_id, 1 as strength
from {models}."relationships" r
where r.relation = 'created_from' or (r.from_kind = 'aws_ec2_image' and r.to_kind = 'aws_ec2_snapshot')
--- table lineage
--- index _id
--- index origin_id
-- Where instances, images, snapshots and volumes come from, over any number of copies up to max_depth: an image from its snapshot,
-- and so from the snapshot's volume. One row per pair, with the fewest steps.
select c.from_id as _id, f.kind, c.to_id as origin_id, t.kind as origin_kind, c.depth
from (
with level_1 as (
    select from_id, to_id, max(strength) as strength from {models}."lineage_steps" where from_id <> to_id group by from_id, to_id
),
level_2 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_1 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_3 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_2 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_4 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_3 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_5 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_4 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
level_6 as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_5 a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
levels as (
    select from_id, to_id, 1 as depth, strength from level_1 union all
    select from_id, to_id, 2 as depth, strength from level_2 union all
    select from_id, to_id, 3 as depth, strength from level_3 union all
    select from_id, to_id, 4 as depth, strength from level_4 union all
    select from_id, to_id, 5 as depth, strength from level_5 union all
    select from_id, to_id, 6 as depth, strength from level_6
)
select from_id, to_id, min(depth) as depth, max(strength) as strength from levels group by from_id, to_id
) c
join {dewpoint}."resources" f on f._id = c.from_id
join {dewpoint}."resources" t on t._id = c.to_id
--- view neighbours
-- The relationships from both ends.
select from_id as _id, to_id as neighbour_id, to_kind as neighbour_kind, type, relation, 'out' as direction, on_delete, origin
from {models}."relationships"
union all
select to_id, from_id, from_kind, type, relation, 'in', on_delete, origin
from {models}."relationships"
--- table orphans
-- Resources that nothing is related to. Kinds of which no resource is related to anything are left out: there, it says nothing.
with related as (
    select distinct r.kind from {dewpoint}."resources" r join {models}."graph_nodes" n on n._id = r._id
)
select r._id, r.kind, r.id, r.name, r.account, r.region, r.created_at
from {dewpoint}."resources" r
join related k on k.kind = r.kind
left join {models}."graph_nodes" n on n._id = r._id
where n._id is null
--- view stg_security_groups
-- Written by go generate: do not edit.
-- Firewalls of instances.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."security_groups" v
--- view security_group_users
-- Who uses a security group: what bears it itself, and what bears it by its network interface. direct tells which. A group that is
-- in no row protects nothing.
with bearers as (
    select r.to_id as security_group_id, r.from_id as user_id
    from {models}."relationships" r
    join {models}."stg_security_groups" g on g._id = r.to_id
    where r.type = 'uses' and r.referrer = 'from'
), users as (
    select security_group_id, user_id, 1 as direct from bearers
    union all
    select b.security_group_id, r.from_id, 0
    from bearers b
    join {models}."stg_network_interfaces" i on i._id = b.user_id
    join {models}."relationships" r on r.to_id = i._id and r.type in ('uses', 'attaches') and r.from_id <> b.security_group_id
)
select u.security_group_id, u.user_id, r.kind as user_kind, r.id as user_resource, r.name as user_name, max(u.direct) = 1 as direct
from users u
join {dewpoint}."resources" r on r._id = u.user_id
group by u.security_group_id, u.user_id, r.kind, r.id, r.name
--- view stg_access_keys
-- Written by go generate: do not edit.
-- Credentials of users and services.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.access_key_status) as access_key_status
from {dewpoint}."access_keys" v
--- view stg_autoscaling_groups
-- Written by go generate: do not edit.
-- Groups that scale instances.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.min_size,
    v.max_size
from {dewpoint}."autoscaling_groups" v
--- view stg_buckets
-- Written by go generate: do not edit.
-- Object stores.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.encryption_enabled,
    v.versioning_enabled
from {dewpoint}."buckets" v
--- view stg_certificates
-- Written by go generate: do not edit.
-- TLS certificates.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.expires_at,
    v.dns_names
from {dewpoint}."certificates" v
--- view stg_container_registries
-- Written by go generate: do not edit.
-- Container image repositories.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."container_registries" v
--- view stg_dns_record_sets
-- Written by go generate: do not edit.
-- DNS records.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.record_type,
    v.record_ttl
from {dewpoint}."dns_record_sets" v
--- view stg_dns_zones
-- Written by go generate: do not edit.
-- DNS zones.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.private_zone
from {dewpoint}."dns_zones" v
--- view stg_encryption_keys
-- Written by go generate: do not edit.
-- Keys of a key management service.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.key_status) as key_status
from {dewpoint}."encryption_keys" v
--- view stg_endpoints
-- Written by go generate: do not edit.
-- Private endpoints of services.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."endpoints" v
--- view stg_firewalls
-- Written by go generate: do not edit.
-- Web and network firewalls.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."firewalls" v
--- view stg_gateways
-- Written by go generate: do not edit.
-- Internet, NAT and transit gateways.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."gateways" v
--- view stg_groups
-- Written by go generate: do not edit.
-- Groups of users.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."groups" v
--- view stg_health_checks
-- Written by go generate: do not edit.
-- Health checks.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."health_checks" v
--- view stg_instance_profiles
-- Written by go generate: do not edit.
-- Roles of instances.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."instance_profiles" v
--- view stg_keypairs
-- Written by go generate: do not edit.
-- SSH key pairs.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."keypairs" v
--- view stg_kubernetes_clusters
-- Written by go generate: do not edit.
-- Managed Kubernetes clusters.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.version,
    v.endpoint
from {dewpoint}."kubernetes_clusters" v
--- view stg_network_acls
-- Written by go generate: do not edit.
-- Firewalls of subnets.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."network_acls" v
--- view stg_network_shares
-- Written by go generate: do not edit.
-- Shared file systems.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.share_size_bytes,
    v.share_encrypted
from {dewpoint}."network_shares" v
--- view stg_networks
-- Written by go generate: do not edit.
-- Virtual networks.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.cidr_block
from {dewpoint}."networks" v
--- view stg_organizational_roots
-- Written by go generate: do not edit.
-- Roots of organisations.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."organizational_roots" v
--- view stg_organizational_units
-- Written by go generate: do not edit.
-- Folders and organisational units.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."organizational_units" v
--- view stg_peering_connections
-- Written by go generate: do not edit.
-- Peerings of networks.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."peering_connections" v
--- view stg_policies
-- Written by go generate: do not edit.
-- Policies.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."policies" v
--- view stg_queues
-- Written by go generate: do not edit.
-- Message queues.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."queues" v
--- view stg_quotas
-- Written by go generate: do not edit.
-- Service quotas.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.quota,
    v.quota_unit
from {dewpoint}."quotas" v
--- view stg_roles
-- Written by go generate: do not edit.
-- Roles.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."roles" v
--- view stg_routing_tables
-- Written by go generate: do not edit.
-- Route tables.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."routing_tables" v
--- view stg_secrets
-- Written by go generate: do not edit.
-- Stored secrets, without their values.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."secrets" v
--- view stg_snapshots
-- Written by go generate: do not edit.
-- Snapshots of volumes and databases.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.snapshot_status) as snapshot_status,
    v.volume_id,
    v.volume_size_bytes,
    v.encrypted,
    v.owner_id
from {dewpoint}."snapshots" v
--- view stg_stacks
-- Written by go generate: do not edit.
-- Stacks of managed resources.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.stack_status) as stack_status
from {dewpoint}."stacks" v
--- view stg_streams
-- Written by go generate: do not edit.
-- Event streams.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."streams" v
--- view stg_subnets
-- Written by go generate: do not edit.
-- Subnets.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.cidr_block
from {dewpoint}."subnets" v
--- view stg_topics
-- Written by go generate: do not edit.
-- Publish-subscribe topics.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."topics" v
--- view stg_tunnels
-- Written by go generate: do not edit.
-- VPN tunnels.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."tunnels" v
--- view stg_users
-- Written by go generate: do not edit.
-- Users.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {dewpoint}."users" v
--- view sync_runs
-- The syncs there were: when, how long they took, what they read and changed, how many scopes could not be read.
select id as sync_id, started_at, finished_at, ((epoch(finished_at) - epoch(started_at)) / 86400.0) * 86400 as seconds, state, version,
    kinds, scopes, incomplete, "rows" as resources,
    new as created, changed, gone as ended, unchanged, unread, problems
from {dewpoint}."syncs"
--- table tag_compliance
-- The tags that resources are to have and which of them they lack. What cannot be tagged, or whose tags are unknown, is left out.
select r._id, r.kind, r.id, r.name, r.cloud, r.account, r.region,
    coalesce(nullif(r.tags['owner'], ''), null) is null as lacks_owner,
    coalesce(nullif(r.tags['team'], ''), null) is null as lacks_team,
    case when coalesce(nullif(r.tags['owner'], ''), null) is null then 1 else 0 end + case when coalesce(nullif(r.tags['team'], ''), null) is null then 1 else 0 end as lacking,
    coalesce(nullif(r.tags['owner'], ''), null) is not null and coalesce(nullif(r.tags['team'], ''), null) is not null as compliant
from {dewpoint}."resources" r
where r.tags is not null
--- view unresolved_edges
-- The references that found nothing, and why, by kind: with the relationships they are all edges there are.
select
    from_kind, relation, to_kind, resolution as reason,
    case resolution
        when 'not_collected' then 'no resource of that kind and name was read: the kind is skipped, or it is in an account or region that is not read'
        when 'ambiguous' then 'several resources bear that name'
        when 'gone' then 'the resource was there and is gone'
        else 'unknown'
    end as explanation,
    count(*) as edges, min(to_ref) as for_example
from {dewpoint}."edges"
where to_id is null
group by from_kind, relation, to_kind, resolution
--- table unused
-- Things that cost and that nothing uses, since when, and whether everything that could use them was read: where evidence is
-- partial, a user may only be hidden. since is the last change of the thing, or its creation.
with idle as (
    select v._id, 'volume' as what, 'attached to nothing' as reason, 'aws_ec2_instance' as user_kind
    from {models}."stg_volumes" v
    where v.volume_status = 'available' and v.counted
        and not exists (select 1 from {models}."relationships" r where r.to_id = v._id and r.type in ('uses', 'attaches') and r.relation <> 'created_from')
    union all
    select a._id, 'address', 'attached to nothing', 'aws_ec2_network_interface'
    from {models}."stg_ip_addresses" a
    where not exists (select 1 from {models}."relationships" r where r.from_id = a._id and r.type = 'attaches')
        and not exists (select 1 from {models}."relationships" r where r.to_id = a._id and r.type = 'uses')
    union all
    select l._id, 'load balancer', 'no target', 'aws_elbv2_target_group'
    from {models}."stg_load_balancers" l
    where not exists (
        select 1 from {models}."reachable_from" f join {dewpoint}."resources" t on t._id = f.to_id
        where f.from_id = l._id and (t.base in ('instance', 'serverless_function', 'network_interface') or t.kind like '%_pod' or t.kind like '%service'))
        and not exists (select 1 from {models}."relationships" r where r.from_id = l._id and r.type = 'routes')
    union all
    select s._id, 'snapshot', 'its volume is gone', 'aws_ec2_volume'
    from {models}."stg_snapshots" s
    join {dewpoint}."edges" e on e.from_id = s._id and e.relation = 'created_from'
    where e.to_id is null
        and not exists (select 1 from {models}."relationships" r where r.from_id = s._id and r.relation = 'created_from')
        and not exists (select 1 from {models}."relationships" r where r.to_id = s._id and r.type = 'uses')
    union all
    select c._id, 'cluster', 'nothing in it', c.kind
    from {dewpoint}."resources" c
    where (c.base = 'kubernetes_cluster' or c.kind = 'aws_ecs_cluster')
        and not exists (select 1 from {models}."relationships" r where r.from_id = c._id and r.type = 'contains')
), changes as (
    select _id, max(valid_to) as changed_at from {dewpoint}."resource_history"
    where change = 'changed' group by _id
), completeness as (
    select cloud, account, region, kind, max(case when state in ('complete', 'not_applicable') then 0 else 1 end) = 0 as complete
    from {dewpoint}."scope_freshness" group by cloud, account, region, kind
)
select i._id, i.what, i.reason, r.kind, r.id, r.name, r.account, r.region, o.owner, o.team,
    coalesce(c.changed_at, r.created_at) as since,
    ((epoch(now()) - epoch(coalesce(c.changed_at, r.created_at))) / 86400.0) as days,
    coalesce(((epoch(now()) - epoch(coalesce(c.changed_at, r.created_at))) / 86400.0) >= 14, false) as for_long,
    case when coalesce(f.complete, false) or r.cloud <> 'aws' then 'complete' else 'partial' end as evidence
from (select _id, what, min(reason) as reason, min(user_kind) as user_kind from idle group by _id, what) i
join {dewpoint}."resources" r on r._id = i._id
left join changes c on c._id = i._id
left join {models}."resource_owners" o on o._id = i._id
left join completeness f on f.cloud = r.cloud and f.account = r.account and f.region = r.region and f.kind = i.user_kind
--- analysis impact
-- What goes down with a resource and what blocks its deletion, as a tree: each row names the row it hangs on. Of the nearest,
-- the first ten of each kind come before the others; goes, blocks, breaks and detached count all, shown or not.
with affected as (
    select affected_id as _id, depth, effect
    from {models}."blast_radius" where resource_id = cast('{resource}' as uuid)
), totals as (
    select count(case when effect = 'goes' then 1 end) as goes, count(case when effect = 'blocks' then 1 end) as blocks,
        count(case when effect = 'breaks' then 1 end) as breaks, count(case when effect = 'detached' then 1 end) as detached
    from affected
), candidates as (
    -- Of what hangs on a hub, twenty times the limit is named.
    select * from (
        select p.*, row_number() over (order by depth, place, _id) as n
        from (select _id, depth, effect, case effect when 'goes' then 0 when 'blocks' then 1 when 'breaks' then 2 else 3 end as place from affected) p
    ) q
    where n <= 20 * {limit}
), named as (
    select c._id, c.depth, c.effect, c.place, r.kind, r.id, r.name, r.account, r.region,
        row_number() over (partition by c.depth, c.effect, r.kind order by r.name, r.id) as nth
    from candidates c
    join {dewpoint}."resources" r on r._id = c._id
), nearest as (
    select * from named
    order by depth, case when nth <= 10 then 0 else 1 end, place, kind, nth
    limit {limit}
), tree as (
    select _id, depth from nearest where effect <> 'detached'
    union all
    select cast('{resource}' as uuid), 0
), parents as (
    select n._id, min(cast(p._id as varchar)) as parent
    from nearest n
    join {models}."dependencies" d on d.from_id = n._id
    join tree p on p._id = d.to_id and p.depth = n.depth - 1
    group by n._id
)
select
    cast(n._id as varchar) as _id, p.parent as parent_id, n.depth, n.effect,
    n.kind, n.id, n.name, n.account, n.region, t.goes, t.blocks, t.breaks, t.detached
from nearest n
left join parents p on p._id = n._id
cross join totals t
order by n.depth, n.place, n.kind, n.nth
--- analysis path
-- How two resources are related: a shortest chain of relationships, searched from both ends and not through hubs.
with start_0 as (
    select _id, cast(_id as varchar) as trail from (select cast('{from}' as uuid) as _id) a
), end_0 as (
    select _id, cast(_id as varchar) as trail from (select cast('{to}' as uuid) as _id) b
),
start_1 as (
    select x.neighbour_id as _id, min(s.trail || '>' || cast(x.neighbour_id as varchar)) as trail
    from start_0 s
    join {models}."neighbours" x on x._id = s._id
    group by x.neighbour_id
),
end_1 as (
    select x.neighbour_id as _id, min(cast(x.neighbour_id as varchar) || '>' || s.trail) as trail
    from end_0 s
    join {models}."neighbours" x on x._id = s._id
    group by x.neighbour_id
),
start_2 as (
    select x.neighbour_id as _id, min(s.trail || '>' || cast(x.neighbour_id as varchar)) as trail
    from start_1 s join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
    join {models}."neighbours" x on x._id = s._id
    group by x.neighbour_id
),
end_2 as (
    select x.neighbour_id as _id, min(cast(x.neighbour_id as varchar) || '>' || s.trail) as trail
    from end_1 s join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
    join {models}."neighbours" x on x._id = s._id
    group by x.neighbour_id
),
start_3 as (
    select x.neighbour_id as _id, min(s.trail || '>' || cast(x.neighbour_id as varchar)) as trail
    from start_2 s join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
    join {models}."neighbours" x on x._id = s._id
    group by x.neighbour_id
),
end_3 as (
    select x.neighbour_id as _id, min(cast(x.neighbour_id as varchar) || '>' || s.trail) as trail
    from end_2 s join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
    join {models}."neighbours" x on x._id = s._id
    group by x.neighbour_id
),
meetings as (
    select 0 as steps, s.trail || substr(e.trail, 37) as trail
    from start_0 s join end_0 e on e._id = s._id
    union all
    select 1 as steps, s.trail || substr(e.trail, 37) as trail
    from start_0 s join end_1 e on e._id = s._id
    union all
    select 2 as steps, s.trail || substr(e.trail, 37) as trail
    from start_1 s join end_1 e on e._id = s._id join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
    union all
    select 3 as steps, s.trail || substr(e.trail, 37) as trail
    from start_1 s join end_2 e on e._id = s._id join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
    union all
    select 4 as steps, s.trail || substr(e.trail, 37) as trail
    from start_2 s join end_2 e on e._id = s._id join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
    union all
    select 5 as steps, s.trail || substr(e.trail, 37) as trail
    from start_2 s join end_3 e on e._id = s._id join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
    union all
    select 6 as steps, s.trail || substr(e.trail, 37) as trail
    from start_3 s join end_3 e on e._id = s._id join {models}."graph_nodes" h on h._id = s._id and not h.is_hub
), best as (
    select trail from meetings order by steps, trail limit 1
), parts as (
    select p.value as node, cast((strpos_at - 1) / 37 as int) as step
    from best cross join lateral (select u.part as value, strpos(best.trail, u.part) as strpos_at from (select unnest(string_split(best.trail, '>')) as part) u) as p
), nodes as (
    select p.step, r._id, r.kind, r.id, r.name, r.account, r.region, lag(r._id) over (order by p.step) as previous_id
    from parts p join {dewpoint}."resources" r on r._id = cast(p.node as uuid)
)
select n.step, cast(n._id as varchar) as _id, n.kind, n.id, n.name, n.account, n.region,
    min(case when x.direction = 'out' then x.type end) as forward, min(case when x.direction = 'in' then x.type end) as backward
from nodes n
left join {models}."neighbours" x on x._id = n.previous_id and x.neighbour_id = n._id
group by n.step, n._id, n.kind, n.id, n.name, n.account, n.region
order by n.step
