-- help: What there is now. Things that two kinds describe count once; what a cloud itself brings (regions, types, quotas) is left out.
-- text: cloud, account, region, kind, team
-- number: resources
SELECT i.cloud, a.account_name AS account, i.region, i.kind, i.team, i.counted AS resources
FROM {models}.inventory i
JOIN {models}.account_names a ON a.cloud = i.cloud AND a.account = i.account
WHERE coalesce(i.base, '') NOT IN ('region', 'instance_type', 'quota')
