-- Policy documents as rows: who (principal), may or may not (effect), do what (action), to what (resource). Actions and resources
-- are IAM's patterns. conditional rows hold only under a Condition, or say NotAction, NotResource or NotPrincipal, whose
-- opposite is not worked out: an allow of theirs is a maybe, a deny of theirs denies nothing here.
with documents as (
    select r._id as policy_id, r.kind as policy_kind, r.account, 'trust' as source, r.assume_role_policy_document as document
    from {{ source('dewpoint', 'aws_iam_role') }} r
    {% for kind in ['aws_iam_role', 'aws_iam_user', 'aws_iam_group'] %}
    union all
    select p._id, p.kind, p.account, 'inline', d.value
    from {{ source('dewpoint', kind) }} p
    {{ dewpoint.each_item(dewpoint.json_array('p.inline_policy_documents'), 'd') }}
    {% endfor %}
    union all
    select v._id, v.kind, v.account, 'managed', {{ dewpoint.json_item('v.version_documents', 'v.n') }}
    from (
        {# A policy has up to five versions; the documents stand in the order of the versions' names. #}
        {% for n in range(5) %}
        select _id, kind, account, version_documents, {{ n }} as n from {{ source('dewpoint', 'aws_iam_managed_policy') }}
        where {{ dewpoint.text_item('version_ids', n) }} = default_version_id {{ 'union all' if not loop.last }}
        {% endfor %}
    ) v
    union all
    select b._id, b.kind, b.account, 'bucket', b.policy
    from {{ source('dewpoint', 'aws_s3_bucket') }} b
), statements as (
    select d.policy_id, d.policy_kind, d.account, d.source, s.value as statement
    from documents d
    {{ dewpoint.each_item(dewpoint.json_array(dewpoint.json_get('d.document', 'Statement')), 's') }}
    where d.document is not null
), parts as (
    select policy_id, policy_kind, account, source,
        {{ dewpoint.json_text('statement', 'Effect') }} as effect,
        {{ dewpoint.json_get('statement', 'Action') }} as actions,
        {{ dewpoint.json_get('statement', 'Resource') }} as resources,
        {{ dewpoint.json_get('statement', 'Principal') }} as principal,
        case when {{ dewpoint.json_get('statement', 'NotAction') }} is not null then 1 else 0 end as not_action,
        case when {{ dewpoint.json_get('statement', 'NotResource') }} is not null then 1 else 0 end as not_resource,
        case when {{ dewpoint.json_get('statement', 'NotPrincipal') }} is not null then 1 else 0 end as not_principal,
        case when {{ dewpoint.json_get('statement', 'Condition') }} is not null then 1 else 0 end as conditioned
    from statements
), acts as (
    select p.policy_id, p.policy_kind, p.account, p.source, p.effect, p.resources, p.principal, p.not_resource,
        p.not_action + p.not_resource + p.not_principal + p.conditioned > 0 as conditional,
        {{ dewpoint.json_scalar('a.value') }} as action
    from parts p
    {{ dewpoint.each_item(dewpoint.json_array('p.actions'), 'a') }}
    union all
    select policy_id, policy_kind, account, source, effect, resources, principal, not_resource, true, '*'
    from parts where not_action = 1
), targets as (
    select a.policy_id, a.policy_kind, a.account, a.source, a.effect, a.principal, a.conditional, a.action,
        {{ dewpoint.json_scalar('r.value') }} as resource
    from acts a
    {{ dewpoint.each_item(dewpoint.json_array('a.resources'), 'r') }}
    union all
    select policy_id, policy_kind, account, source, effect, principal, conditional, action, '*'
    from acts where not_resource = 1 or source = 'trust'
), principals as (
    select t.policy_id, t.policy_kind, t.account, t.source, t.effect, t.conditional, t.action, t.resource,
        {{ dewpoint.as_text('m.key') }} as principal_type, {{ dewpoint.json_scalar('v.value') }} as principal
    from targets t
    {{ dewpoint.each_member('t.principal', 'm') }}
    {{ dewpoint.each_item(dewpoint.json_array('m.value'), 'v') }}
    where t.source in ('trust', 'bucket')
    union all
    select policy_id, policy_kind, account, source, effect, conditional, action, resource, 'AWS', '*'
    from targets
    where source in ('trust', 'bucket') and (principal is null or {{ dewpoint.is_json_text('principal') }})
    union all
    select policy_id, policy_kind, account, source, effect, conditional, action, resource, null, null
    from targets where source in ('inline', 'managed')
)

select distinct policy_id, policy_kind, account, source, effect, principal_type, principal, lower(action) as action, resource, conditional
from principals
