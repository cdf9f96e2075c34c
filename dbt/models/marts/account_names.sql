-- What people call an account, project or cluster: its own name or, where it has none, its id. A name that two have is followed by
-- the id, so that they are never added up.
with named as (
    select r.cloud, r.account,
        -- A context of Kubernetes may be an ARN or gke_PROJECT_LOCATION_CLUSTER: its last part is the cluster.
        regexp_replace(min(nullif(a.name, '')), '^(.*/|gke_.*_)', '') as name
    from (select distinct cloud, account from {{ source('dewpoint', 'resources') }}) r
    left join {{ ref('stg_accounts') }} a on a.cloud = r.cloud and a.account = r.account and a.id = r.account
    group by r.cloud, r.account
)

select cloud, account,
    case when name is null then account
        when count(*) over (partition by name) > 1 then name || ' ' || account
        else name end as account_name
from named
