-- help: How the last reading of each scope (a kind in a region of an account) ended. What does not apply to an account is left out.
-- text: cloud, account, region, kind, state
-- time: last_complete
-- number: scopes, complete, incomplete, stale, age_hours
SELECT f.cloud, coalesce(a.account_name, f.account) AS account, f.region, f.kind, f.state, f.last_complete, 1 AS scopes,
    CASE WHEN f.complete THEN 1 ELSE 0 END AS complete,
    CASE WHEN f.complete THEN 0 ELSE 1 END AS incomplete,
    CASE WHEN f.stale THEN 1 ELSE 0 END AS stale, f.age_hours
FROM {models}.freshness f
LEFT JOIN {models}.account_names a ON a.cloud = f.cloud AND a.account = f.account
WHERE f.state <> 'not_applicable'
