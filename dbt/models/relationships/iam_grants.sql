{{ config(materialized='view') }}
-- The permissions of roles and users, from wherever they have them: inline, by a managed policy, by a group. AWS's own managed
-- policies are not read; the few that reach everything come from the seed aws_managed_policies.
with attached as (
    {% for kind in ['aws_iam_role', 'aws_iam_user', 'aws_iam_group'] %}
    select p._id as holder_id, p.kind as holder_kind, p.account, a.value as policy_arn
    from {{ source('dewpoint', kind) }} p
    {{ dewpoint.each_text('p.attached_policy_arns', 'a') }} {{ 'union all' if not loop.last }}
    {% endfor %}
), held as (
    select policy_id as holder_id, policy_kind as holder_kind, account, policy_id as via_id, effect, action, resource, conditional
    from {{ ref('iam_permissions') }} where source = 'inline'
    union all
    select a.holder_id, a.holder_kind, a.account, m._id, p.effect, p.action, p.resource, p.conditional
    from attached a
    join {{ source('dewpoint', 'aws_iam_managed_policy') }} m on m.arn = a.policy_arn
    join {{ ref('iam_permissions') }} p on p.policy_id = m._id and p.source = 'managed'
    union all
    select a.holder_id, a.holder_kind, a.account, a.holder_id, m.effect, lower(m.action), m.resource, false
    from attached a
    join {{ ref('aws_managed_policies') }} m on a.policy_arn like 'arn:%:iam::aws:policy/' || m.policy
)

select holder_id as principal_id, holder_kind as principal_kind, account, via_id, effect, action, resource, conditional
from held where holder_kind <> 'aws_iam_group'
union all
select u._id, u.kind, u.account, h.via_id, h.effect, h.action, h.resource, h.conditional
from held h
join {{ ref('declared_relationships') }} g on g.from_id = h.holder_id and g.type = 'contains'
join {{ source('dewpoint', 'aws_iam_user') }} u on u._id = g.to_id
where h.holder_kind = 'aws_iam_group'
