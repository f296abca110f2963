-- Virtual keys as last seen, and keys that only spend logs know. Never a key itself: its hash and its alias.
-- Grain: one row per key_hash.
-- Columns:
--   key_hash  sha256 of the key, or litellm_proxy_master_key and the like
--   key_alias  alias; NULL when it has none
--   is_listed  whether the proxy lists it
--   max_budget_usd  budget cap; NULL when there is none, or the key is not listed
--   budget_duration  1d, 7d, 30d ...
--   budget_reset_at  next budget reset (UTC)
--   rpm_limit  requests per minute allowed
--   tpm_limit  tokens per minute allowed
--   is_blocked  whether it is blocked
--   expires_at  expiry (UTC)
--   created_at  created (UTC)
--   last_used_at  last use that the proxy or a spend log tells (UTC); NULL when never
WITH latest AS (
  SELECT
    k.*,
    row_number() OVER (PARTITION BY k.key_hash ORDER BY k.observed_at DESC NULLS LAST) AS n
  FROM raw.litellm_keys k
),
used AS (
  SELECT
    g.key_hash,
    max(g.key_alias) AS key_alias,
    max(g.started_at) AS last_used_at
  FROM core.gateway_calls g
  WHERE g.key_hash IS NOT NULL
  GROUP BY g.key_hash
)
SELECT
  coalesce(l.key_hash, u.key_hash) AS key_hash,
  coalesce(l.key_alias, u.key_alias) AS key_alias,
  l.key_hash IS NOT NULL AS is_listed,
  l.max_budget_usd, l.budget_duration, l.budget_reset_at, l.rpm_limit, l.tpm_limit,
  coalesce(l.is_blocked, false) AS is_blocked,
  l.expires_at, l.created_at,
  greatest(l.last_active_at, u.last_used_at) AS last_used_at
FROM (SELECT x.* FROM latest x WHERE x.n = 1) l
FULL OUTER JOIN used u ON u.key_hash = l.key_hash
