select from_id, type, relation, to_id, count(*) as n
from {{ ref('relationships') }}
group by from_id, type, relation, to_id
having count(*) > 1
