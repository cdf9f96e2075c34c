-- Who can assume which role, by the roles' trust policies. principal_id is NULL where the principal is no resource that was read:
-- a service, an identity provider, another organisation's account.
with trusted as (
    select p.policy_id as role_id, p.account, p.principal_type, p.principal, p.conditional,
        case when p.principal like 'arn:%:root' then split_part(p.principal, ':', 5) else p.principal end as wanted
    from {{ ref('iam_permissions') }} p
    where p.source = 'trust' and p.effect = 'Allow' and p.action in ('sts:assumerole', 'sts:*', '*', 'sts:assumerolewithsaml', 'sts:assumerolewithwebidentity')
), principals as (
    select _id, kind, urn as name, account from {{ source('dewpoint', 'resources') }}
    where kind in ('aws_iam_role', 'aws_iam_user') and urn is not null
    union all
    select _id, kind, id, account from {{ source('dewpoint', 'resources') }} where kind = 'aws_sts_account'
)

select distinct t.role_id, r.name as role_name, t.account, t.principal_type, t.principal, x._id as principal_id, x.kind as principal_kind,
    t.conditional, coalesce(x.account <> t.account, t.principal like 'arn:%' and split_part(t.principal, ':', 5) not in ('', t.account)) as other_account
from trusted t
join {{ source('dewpoint', 'resources') }} r on r._id = t.role_id
left join principals x on x.name = t.wanted and t.principal_type = 'AWS'
