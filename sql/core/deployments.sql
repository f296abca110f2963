-- LiteLLM deployments as last seen, with the pool they draw on and their limits per minute.
-- Pools and limits of the settings go before the proxy's own (/model/info). Deployments that only spend logs know are
-- here too, without limits. With some routing strategies the proxy's rpm and tpm are weights it does not enforce.
-- Grain: one row per deployment_id.
-- Columns:
--   deployment_id  deployment
--   model_group  group it serves; the first by name where it serves several
--   provider  provider
--   model  provider/model
--   pool  pool it draws on; NULL when neither the settings nor the proxy name one
--   rpm_limit  requests per minute; NULL unknown
--   tpm_limit  tokens per minute; NULL unknown
--   position  order inside its group, 1 is asked first; NULL when the group only balances
WITH latest AS (
  SELECT
    d.deployment_id, d.model_group, d.provider, d.model, d.pool, d.rpm_limit, d.tpm_limit, d.priority,
    row_number() OVER (
      PARTITION BY d.deployment_id ORDER BY d.observed_at DESC NULLS LAST, d.model_group NULLS LAST
    ) AS n
  FROM raw.litellm_deployments d
),
used AS (
  SELECT g.deployment_id, min(g.provider) AS provider, min(g.model) AS model
  FROM core.gateway_calls g
  WHERE g.deployment_id IS NOT NULL
  GROUP BY g.deployment_id
),
known AS (
  SELECT
    coalesce(l.deployment_id, u.deployment_id) AS deployment_id,
    l.model_group,
    coalesce(l.provider, u.provider) AS provider,
    coalesce(l.model, u.model) AS model,
    l.pool, l.rpm_limit, l.tpm_limit, l.priority
  FROM (SELECT x.* FROM latest x WHERE x.n = 1) l
  FULL OUTER JOIN used u ON u.deployment_id = l.deployment_id
)
SELECT
  k.deployment_id, k.model_group, k.provider, k.model,
  coalesce(p.pool, k.pool) AS pool,
  coalesce(c.rpm_limit, k.rpm_limit) AS rpm_limit,
  coalesce(c.tpm_limit, k.tpm_limit) AS tpm_limit,
  k.priority AS position
FROM known k
LEFT JOIN conf.pools p ON p.deployment_id = k.deployment_id
LEFT JOIN conf.limits c ON c.scope = 'deployment' AND c.name = k.deployment_id
