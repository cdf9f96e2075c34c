{{ config(materialized='view') }}
-- A reserved address and what bears it, by the address.
select a._id as from_id, a.kind as from_kind, 'attaches' as type, b._id as to_id, b.kind as to_kind, 'bears' as relation
from {{ ref('addresses') }} a
join {{ ref('addresses') }} b on b.ip = a.ip and b.account = a.account and not b.reserved
where a.reserved and a.public
