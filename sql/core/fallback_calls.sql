-- Calls that were not simply served by the model asked for, with the reason as far as anything tells it.
-- gateway_fallback: another group served. same_group_failover: another deployment of the group served. all_failed: the
-- request failed although its group has a fallback (whether one was tried the logs do not say). no_fallback: it failed and
-- its group has none. openclaw_fallback: an error line, then another model in the same turn.
-- The failed hop of a fallback that was served leaves no row and no reason in spend logs. Where another request for the
-- same group failed in the same minute, its reason is taken (unless the request itself was at fault), and the evidence says
-- so. Requests that the gateway itself refused (budget, key, unknown model) are no failures of a model and not here.
-- Grain: one row per (kind, call_id).
-- Columns:
--   kind  gateway_fallback, same_group_failover, all_failed, no_fallback or openclaw_fallback
--   call_id  the call; for openclaw_fallback the one that went to another model
--   local_date  date in the configured time zone
--   started_at  start of the call (UTC)
--   tier  tier asked for; none when the model belongs to none
--   model_group_requested  model asked for; for openclaw_fallback the one that failed
--   model_group_served  model group that served; for openclaw_fallback the one asked next
--   deployment_id  deployment that served or, of a failed request, that LiteLLM names
--   hops  hops away from the first deployment; 1 for openclaw_fallback; NULL unknown
--   reason  what went wrong with the model asked for; unknown when nothing tells
--   reason_evidence  logged (the row's own error), same_minute, error_line or none
--   total_tokens  reported tokens
--   list_usd  cost at list prices (USD); NULL when unpriced
WITH requests AS (
  SELECT
    c.call_id, c.local_date, c.started_at,
    coalesce(c.requested_tier, 'none') AS tier,
    c.model_group_requested, c.model_group_served, c.deployment_id, c.attempted_fallbacks AS hops, c.status,
    c.error_kind,
    CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END AS total_tokens,
    c.list_usd,
    CAST(date_trunc('minute', c.started_at) AS TIMESTAMP) AS minute_at,
    c.status = 'error' AND c.error_kind IN (
      'vendor_rate_limit', 'deployment_limit', 'no_deployment', 'timeout', 'provider_error', 'provider_auth',
      'content_filter', 'context_window', 'bad_request'
    ) AS is_failure
  FROM core.calls c
  WHERE c.source IN ('both', 'litellm') AND c.is_request AND c.local_date IS NOT NULL
    AND (c.attempted_fallbacks > 0 OR c.status = 'error')
),
failures AS (
  SELECT
    f.model_group_requested, f.minute_at, f.error_kind,
    row_number() OVER (
      PARTITION BY f.model_group_requested, f.minute_at ORDER BY count(*) DESC NULLS LAST, f.error_kind NULLS LAST
    ) AS n
  FROM requests f
  WHERE f.is_failure AND f.error_kind NOT IN ('bad_request', 'content_filter', 'context_window')
  GROUP BY f.model_group_requested, f.minute_at, f.error_kind
),
gateway AS (
  SELECT
    CASE
      WHEN r.is_failure AND (r.hops > 0 OR g.fallbacks > 0) THEN 'all_failed'
      WHEN r.is_failure THEN 'no_fallback'
      WHEN r.model_group_served = r.model_group_requested THEN 'same_group_failover'
      ELSE 'gateway_fallback'
    END AS kind,
    r.call_id, r.local_date, r.started_at, r.tier, r.model_group_requested, r.model_group_served, r.deployment_id, r.hops,
    CASE WHEN r.is_failure THEN r.error_kind ELSE coalesce(f.error_kind, 'unknown') END AS reason,
    CASE
      WHEN r.is_failure THEN 'logged'
      WHEN f.error_kind IS NOT NULL THEN 'same_minute'
      ELSE 'none'
    END AS reason_evidence,
    r.total_tokens, r.list_usd
  FROM requests r
  LEFT JOIN core.model_groups g ON g.model_group = r.model_group_requested
  LEFT JOIN failures f
    ON f.model_group_requested = r.model_group_requested AND f.minute_at = r.minute_at AND f.n = 1
  WHERE r.is_failure OR r.status <> 'error'
),
followers AS (
  SELECT
    n.call_id, n.local_date, n.started_at, n.model_group_requested, n.deployment_id, n.tokens_basis, n.total_tokens,
    n.list_usd,
    e.requested_tier AS failed_tier,
    e.model_group_requested AS failed_model,
    e.error_kind AS failed_kind,
    row_number() OVER (PARTITION BY e.call_id ORDER BY n.started_at NULLS LAST, n.call_id NULLS LAST) AS n
  FROM core.calls e
  JOIN core.calls n
    ON n.turn_id = e.turn_id
    AND (n.started_at > e.started_at OR (n.started_at = e.started_at AND n.call_id > e.call_id))
  WHERE e.status = 'error'
)
SELECT
  g.kind, g.call_id, g.local_date, g.started_at, g.tier, g.model_group_requested, g.model_group_served, g.deployment_id,
  g.hops, g.reason, g.reason_evidence, g.total_tokens, g.list_usd
FROM gateway g
UNION ALL
SELECT
  'openclaw_fallback' AS kind, o.call_id, o.local_date, o.started_at,
  coalesce(o.failed_tier, 'none') AS tier,
  o.failed_model AS model_group_requested,
  o.model_group_requested AS model_group_served,
  o.deployment_id,
  CAST(1 AS BIGINT) AS hops,
  coalesce(o.failed_kind, 'unknown') AS reason,
  'error_line' AS reason_evidence,
  CASE WHEN o.tokens_basis = 'reported' THEN o.total_tokens ELSE CAST(0 AS BIGINT) END AS total_tokens,
  o.list_usd
FROM followers o
WHERE o.n = 1 AND o.model_group_requested <> o.failed_model
