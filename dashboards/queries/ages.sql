-- help: How old each resource is, of those whose creation is known; dates before 2006 are placeholders of the clouds. The bands begin with spaces so that they sort by age.
-- text: cloud, account, region, kind, team, owner, age
-- number: resources, days, over_a_year
SELECT g.cloud, a.account_name AS account, g.region, g.kind, coalesce(g.team, 'unknown') AS team, coalesce(g.owner, 'nobody') AS owner,
    CASE g.age_band
        WHEN '0 to 1 day' THEN '  0 to 1 day' WHEN '1 to 7 days' THEN '  1 to 7 days' WHEN '7 to 30 days' THEN '  7 to 30 days'
        WHEN '30 to 90 days' THEN ' 30 to 90 days' WHEN '90 to 365 days' THEN ' 90 to 365 days' ELSE g.age_band END AS age,
    1 AS resources, g.age_days AS days,
    CASE WHEN g.age_days >= 365 THEN 1 ELSE 0 END AS over_a_year
FROM {models}.resource_ages g
JOIN {models}.account_names a ON a.cloud = g.cloud AND a.account = g.account
WHERE g.age_days < current_date - DATE '2006-01-01'
