select from_id, to_id, count(*) as n from {{ ref('closure') }} group by from_id, to_id having count(*) > 1
