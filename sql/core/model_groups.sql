-- Model groups of the proxy as last seen: the deployment asked first, its pool, and where the router falls back to.
-- Grain: one row per model_group that has a deployment or a fallback.
-- Columns:
--   model_group  public name
--   deployment_id  deployment asked first, by order, then by id; NULL when none is known
--   pool  pool of that deployment
--   deployments  deployments of the group
--   fallback_group  group the router falls back to first; NULL when it has no fallback
--   fallbacks  groups it falls back to, one after the other
WITH members AS (
  SELECT
    d.model_group, d.deployment_id, d.priority,
    row_number() OVER (
      PARTITION BY d.model_group, d.deployment_id ORDER BY d.observed_at DESC NULLS LAST
    ) AS age
  FROM raw.litellm_deployments d
),
ordered AS (
  SELECT
    m.model_group, m.deployment_id,
    row_number() OVER (
      PARTITION BY m.model_group ORDER BY m.priority NULLS LAST, m.deployment_id NULLS LAST
    ) AS n
  FROM members m
  WHERE m.age = 1
),
groups AS (
  SELECT o.model_group, min(o.deployment_id) FILTER (WHERE o.n = 1) AS deployment_id, count(*) AS deployments
  FROM ordered o
  GROUP BY o.model_group
),
hops AS (
  SELECT
    r.model_group, r.position, r.target,
    row_number() OVER (
      PARTITION BY r.model_group, r.position ORDER BY r.observed_at DESC NULLS LAST
    ) AS age
  FROM raw.litellm_routes r
  WHERE r.kind = 'fallback'
),
routes AS (
  SELECT h.model_group, min(h.target) FILTER (WHERE h.position = 1) AS fallback_group, count(*) AS fallbacks
  FROM hops h
  WHERE h.age = 1
  GROUP BY h.model_group
)
SELECT
  coalesce(g.model_group, r.model_group) AS model_group,
  g.deployment_id,
  d.pool,
  coalesce(g.deployments, 0) AS deployments,
  r.fallback_group,
  coalesce(r.fallbacks, 0) AS fallbacks
FROM groups g
FULL OUTER JOIN routes r ON r.model_group = g.model_group
LEFT JOIN core.deployments d ON d.deployment_id = g.deployment_id
