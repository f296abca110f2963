-- Asked for against served: fallbacks of the gateway and of OpenClaw, failovers inside a group, requests that failed.
-- Spend logs do not hold the failed hop of a fallback that was served, nor its reason: reasons are given as far as other
-- failures of the same minute tell them, and unknown otherwise. Rows of proxies that log no fallbacks are counted as
-- unknown, not as none.
-- Grain: one row per (local_date, kind, tier, model_group_requested, model_group_served, deployment_id, reason,
--         reason_evidence).
-- Columns:
--   local_date  date in the configured time zone
--   kind  gateway_fallback, same_group_failover, all_failed, no_fallback, openclaw_fallback or unknown
--   tier  tier asked for; none when the model belongs to none
--   model_group_requested  model asked for; '' when unknown
--   model_group_served  model that served; '' when unknown
--   deployment_id  deployment that served or, of a failed request, that LiteLLM names; '' when unknown
--   requested_pool  pool of the deployment the group asks first; NULL when unknown
--   served_pool  pool of deployment_id; NULL when unknown
--   reason  what went wrong with the model asked for; unknown when nothing tells
--   reason_evidence  logged (the row's own error), same_minute, error_line or none
--   calls  requests
--   hops  hops of these together; NULL unknown
--   max_hops  most hops of one of them; NULL unknown
--   tier_calls  all requests of the tier on that day
--   tier_share  calls of tier_calls, 0 to 1; NULL when the tier had none
--   total_tokens  reported tokens
--   list_usd  cost at list prices (USD); NULL when nothing is priced
WITH usage AS (
  -- every day lies in one ISO week
  SELECT
    u.local_date,
    coalesce(u.requested_tier, 'none') AS tier,
    coalesce(u.model_group_requested, '') AS model_group_requested,
    coalesce(u.model_group_served, '') AS model_group_served,
    coalesce(u.deployment_id, '') AS deployment_id,
    u.is_fallback, u.calls, u.gateway_ok_calls, u.total_tokens, u.list_usd
  FROM core.window_model_usage u
  JOIN core.windows w ON w.window_id = u.window_id
  WHERE w.kind = 'iso_week'
),
days AS (
  SELECT u.local_date, u.tier, CAST(sum(u.calls) AS BIGINT) AS calls
  FROM usage u
  GROUP BY u.local_date, u.tier
),
grouped AS (
  SELECT
    f.local_date, f.kind, f.tier,
    coalesce(f.model_group_requested, '') AS model_group_requested,
    coalesce(f.model_group_served, '') AS model_group_served,
    coalesce(f.deployment_id, '') AS deployment_id,
    f.reason, f.reason_evidence,
    count(*) AS calls,
    CAST(sum(f.hops) AS BIGINT) AS hops,
    max(f.hops) AS max_hops,
    CAST(sum(f.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(f.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM core.fallback_calls f
  GROUP BY
    f.local_date, f.kind, f.tier, coalesce(f.model_group_requested, ''), coalesce(f.model_group_served, ''),
    coalesce(f.deployment_id, ''), f.reason, f.reason_evidence
  UNION ALL
  SELECT
    u.local_date, 'unknown' AS kind, u.tier, u.model_group_requested, u.model_group_served, u.deployment_id,
    'unknown' AS reason, 'none' AS reason_evidence,
    CAST(sum(u.gateway_ok_calls) AS BIGINT) AS calls,
    CAST(NULL AS BIGINT) AS hops,
    CAST(NULL AS BIGINT) AS max_hops,
    CAST(sum(u.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(u.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM usage u
  WHERE u.is_fallback IS NULL AND u.gateway_ok_calls > 0
  GROUP BY u.local_date, u.tier, u.model_group_requested, u.model_group_served, u.deployment_id
)
SELECT
  g.local_date, g.kind, g.tier, g.model_group_requested, g.model_group_served, g.deployment_id,
  m.pool AS requested_pool,
  d.pool AS served_pool,
  g.reason, g.reason_evidence, g.calls, g.hops, g.max_hops,
  CAST(coalesce(y.calls, 0) AS BIGINT) AS tier_calls,
  CAST(g.calls AS DOUBLE) / nullif(CAST(y.calls AS DOUBLE), 0) AS tier_share,
  g.total_tokens, g.list_usd
FROM grouped g
LEFT JOIN days y ON y.local_date = g.local_date AND y.tier = g.tier
LEFT JOIN core.model_groups m ON m.model_group = g.model_group_requested
LEFT JOIN core.deployments d ON d.deployment_id = g.deployment_id
