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
    select _id, account, coalesce(urn, 'arn:aws:s3:::' || id) as arn from {{ source('dewpoint', 'aws_s3_bucket') }}
), grants as (
    select g.principal_id, g.principal_kind, g.account, g.via_id, g.effect, g.resource, g.conditional, p.access, p.action, p.suffix
    from {{ ref('iam_grants') }} g
    join probes p on p.action like {{ dewpoint.iam_like('g.action') }} escape '!'
    where g.resource = '*' or g.resource like 'arn:%:s3:::%' or g.resource like 'arn:*' or g.resource like '*%'
), named as (
    -- What the buckets' own policies say, with the principals that they name.
    select b._id as bucket_id, b.arn, b.account as bucket_account, q.effect, q.resource, q.conditional, p.access, p.action, p.suffix,
        r._id as principal_id, r.kind as principal_kind, r.account as principal_account, q.principal
    from {{ ref('iam_permissions') }} q
    join buckets b on b._id = q.policy_id
    join probes p on p.action like {{ dewpoint.iam_like('q.action') }} escape '!'
    left join {{ source('dewpoint', 'resources') }} r on r.kind in ('aws_iam_role', 'aws_iam_user') and r.urn = q.principal
    where q.source = 'bucket' and q.principal_type = 'AWS'
), by_identity as (
    select g.principal_id, g.principal_kind, g.account as principal_account, b._id as bucket_id, b.account as bucket_account,
        g.access, g.action, g.effect, g.conditional, g.via_id,
        not (b.arn || g.suffix like {{ dewpoint.iam_like('g.resource') }} escape '!') as partial
    from grants g
    join buckets b on b.arn || g.suffix like {{ dewpoint.iam_like('g.resource') }} escape '!' or (g.suffix <> '' and g.resource like b.arn || '/%')
    where g.account = b.account or exists (select 1 from named n where n.bucket_id = b._id and n.principal_id = g.principal_id and n.effect = 'Allow')
), by_bucket as (
    select principal_id, principal_kind, principal_account, bucket_id, bucket_account, access, action, effect, conditional, bucket_id as via_id,
        not (arn || suffix like {{ dewpoint.iam_like('resource') }} escape '!') as partial
    from named
    where (principal_id is not null or principal = '*')
        and (arn || suffix like {{ dewpoint.iam_like('resource') }} escape '!' or (suffix <> '' and resource like arn || '/%'))
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

select a.bucket_id, a.principal_id, a.principal_kind, a.access, a.action, min({{ dewpoint.as_text('a.via_id') }}) as via_id,
    min(case when a.conditional then 1 else 0 end) = 1 as conditional, min(case when a.partial then 1 else 0 end) = 1 as partial
from allowed a
where not exists (
    select 1 from denied d where d.bucket_id = a.bucket_id and d.action = a.action and (d.principal_id = a.principal_id or d.principal_id is null))
group by a.bucket_id, a.principal_id, a.principal_kind, a.access, a.action
