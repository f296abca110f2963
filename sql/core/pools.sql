-- What has a limit: every deployment, and every pool of deployments.
-- A pool's limit is the configured one, else the sum of its deployments' limits when all of them are known.
-- Grain: one row per (scope, name).
-- Columns:
--   scope  deployment or pool
--   name  deployment id, or name of the pool
--   pool  pool that a deployment draws on; for a pool its own name
--   deployments  deployments of the pool; 1 for a deployment
--   rpm_limit  requests per minute; NULL unknown
--   tpm_limit  tokens per minute; NULL unknown
--   tokens_per_day  configured tokens per day; NULL when none are configured
WITH members AS (
  SELECT
    d.pool,
    count(*) AS deployments,
    CASE WHEN count(*) = count(d.rpm_limit) THEN CAST(sum(d.rpm_limit) AS BIGINT) END AS rpm_limit,
    CASE WHEN count(*) = count(d.tpm_limit) THEN CAST(sum(d.tpm_limit) AS BIGINT) END AS tpm_limit
  FROM core.deployments d
  WHERE d.pool IS NOT NULL
  GROUP BY d.pool
)
SELECT
  'deployment' AS scope, d.deployment_id AS name, d.pool, CAST(1 AS BIGINT) AS deployments, d.rpm_limit, d.tpm_limit,
  CAST(NULL AS BIGINT) AS tokens_per_day
FROM core.deployments d
UNION ALL
SELECT
  'pool' AS scope, m.pool AS name, m.pool, m.deployments,
  coalesce(c.rpm_limit, m.rpm_limit) AS rpm_limit,
  coalesce(c.tpm_limit, m.tpm_limit) AS tpm_limit,
  c.tokens_per_day
FROM members m
LEFT JOIN conf.limits c ON c.scope = 'pool' AND c.name = m.pool
