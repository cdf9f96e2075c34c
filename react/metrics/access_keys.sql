-- help: Credentials of users and services.
-- type: gauge
SELECT cloud, account, region, access_key_status AS status, count(*) AS value
FROM access_keys
GROUP BY 1, 2, 3, 4
