-- help: The syncs there were, what they read and what they changed.
-- time: started_at
-- text: state, version
-- number: syncs, seconds, scopes, incomplete, resources, created, changed, ended, unread, problems
SELECT started_at, state, version, 1 AS syncs, seconds, scopes, incomplete, resources, created, changed, ended, unread, problems
FROM {models}.sync_runs
