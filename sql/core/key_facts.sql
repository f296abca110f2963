-- Virtual keys with what was done with them in the 30 days up to now.
-- Grain: one row per key_hash.
-- Columns:
--   key_hash  sha256 of the key, or litellm_proxy_master_key and the like
--   key_alias  alias; NULL when it has none
--   is_listed  whether the proxy lists it
--   is_blocked  whether it is blocked
--   max_budget_usd  budget cap; NULL when there is none, or the key is not listed
--   expires_at  expiry (UTC)
--   created_at  created (UTC)
--   last_used_at  last use at any time (UTC); NULL when never
--   as_of  the time that counts as now (UTC)
--   is_used  whether a call of it lies in the 30 days
--   calls  model requests
--   ok_calls  of these, successful ones
--   blocked_calls  refused because the key is blocked
--   expired_calls  refused because the key has expired
--   unknown_calls  refused because there is no such key
--   free_calls  successful requests with tokens and without spend
--   priced_calls  successful requests with spend
--   agents  agents known to use it at any time
--   spend_usd  spend (USD)
WITH usage AS (
  -- every day lies in one ISO week
  SELECT u.*
  FROM core.window_model_usage u
  JOIN core.windows w ON w.window_id = u.window_id
  CROSS JOIN conf.run r
  WHERE w.kind = 'iso_week' AND u.last_at >= r.as_of - INTERVAL '30' DAY
),
sums AS (
  SELECT
    u.key_hash,
    CAST(sum(u.calls) AS BIGINT) AS calls,
    CAST(sum(u.gateway_ok_calls) AS BIGINT) AS ok_calls,
    CAST(sum(u.blocked_key_calls) AS BIGINT) AS blocked_calls,
    CAST(sum(u.expired_key_calls) AS BIGINT) AS expired_calls,
    CAST(sum(u.unknown_key_calls) AS BIGINT) AS unknown_calls,
    CAST(sum(u.free_calls) AS BIGINT) AS free_calls,
    CAST(sum(u.priced_calls) AS BIGINT) AS priced_calls,
    CAST(coalesce(sum(u.spend_usd), 0) AS DECIMAL(28,12)) AS spend_usd
  FROM usage u
  GROUP BY u.key_hash
),
owners AS (
  SELECT o.key_hash, count(*) AS agents FROM core.key_owners o GROUP BY o.key_hash
)
SELECT
  k.key_hash, k.key_alias, k.is_listed, k.is_blocked, k.max_budget_usd, k.expires_at, k.created_at, k.last_used_at,
  r.as_of,
  s.key_hash IS NOT NULL AS is_used,
  coalesce(s.calls, 0) AS calls,
  coalesce(s.ok_calls, 0) AS ok_calls,
  coalesce(s.blocked_calls, 0) AS blocked_calls,
  coalesce(s.expired_calls, 0) AS expired_calls,
  coalesce(s.unknown_calls, 0) AS unknown_calls,
  coalesce(s.free_calls, 0) AS free_calls,
  coalesce(s.priced_calls, 0) AS priced_calls,
  coalesce(o.agents, 0) AS agents,
  CAST(coalesce(s.spend_usd, 0) AS DECIMAL(28,12)) AS spend_usd
FROM core.virtual_keys k
CROSS JOIN conf.run r
LEFT JOIN sums s ON s.key_hash = k.key_hash
LEFT JOIN owners o ON o.key_hash = k.key_hash
