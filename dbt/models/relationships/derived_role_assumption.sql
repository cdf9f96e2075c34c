{{ config(materialized='view') }}
-- A principal and the role whose trust policy lets it in.
select principal_id as from_id, principal_kind as from_kind, 'assumes' as type, role_id as to_id, 'aws_iam_role' as to_kind, 'trusted_by' as relation
from {{ ref('assumable_roles') }}
where principal_id is not null
