{{ config(materialized='view') }}
-- What was made of what, in single steps: a snapshot of its volume, an image of its snapshots, a volume of its snapshot, an instance
-- of its image.
select r.from_id, r.to_id, 1 as strength
from {{ ref('relationships') }} r
where r.relation = 'created_from' or (r.from_kind = 'aws_ec2_image' and r.to_kind = 'aws_ec2_snapshot')
