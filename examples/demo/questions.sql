-- What runs, and who owns it?
select account, region, instance_type, tags['owner'] as owner, count(*) as instances,
       min(created_at)::date as oldest
from instances
where instance_status = 'running'
group by all
order by instances desc, account, region, instance_type, owner
limit 12;

-- What hangs on this VPC?
with recursive hanging(_id, depth) as (
  select _id, 0 from resources where kind = 'aws_ec2_vpc' and name = 'sandbox-eu-central-1'
  union
  select e.from_id, depth + 1 from edges e join hanging h on e.to_id = h._id where depth < 6
)
select kind, count(distinct _id) as resources, min(depth) as steps_away, any_value(name) as for_example
from hanging join resources using (_id)
where depth > 0
group by kind
order by steps_away, resources desc, kind;

-- What is oldest among the things that nobody has tagged?
select kind, name, account, region, created_at
from resources
where cardinality(tags) = 0 and created_at is not null
order by created_at, kind, name
limit 10;

-- On which machines and disks, of which cloud, do the pods run?
select p.region as namespace, p.name as pod, m.kind as machine_kind, m.name as machine, d.kind as disk_kind, d.name as disk
from resources p
join edges pn on pn.from_id = p._id and pn.to_kind = 'kubernetes_node'
join edges nm on nm.from_id = pn.to_id and nm.relation = 'runs_on'
join resources m on m._id = nm.to_id
left join edges pc on pc.from_id = p._id and pc.to_kind = 'kubernetes_persistent_volume_claim'
left join edges cv on cv.from_id = pc.to_id and cv.to_kind = 'kubernetes_persistent_volume'
left join edges vd on vd.from_id = cv.to_id and vd.relation = 'backed_by'
left join resources d on d._id = vd.to_id
where p.kind = 'kubernetes_pod'
order by namespace, pod;
