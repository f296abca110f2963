-- What deployments and pools used in each minute: the minute in which the request started.
-- Counted are requests that reached the deployment: answered ones, failures of the provider, and billed attempts of a
-- timed-out request. Rejections of the gateway itself (budget, key, limit) used nothing and are counted by kind only.
-- Failed hops of a fallback that was served, and retries, leave no row in spend logs: under throttling a pool used more
-- than stands here. Tokens are the reported ones, cached input included.
-- Grain: one row per (scope, name, minute_at) with a request or a rejection.
-- Columns:
--   scope  deployment or pool
--   name  deployment id, or name of the pool
--   minute_at  the minute (UTC)
--   local_date  date in the configured time zone
--   local_week  ISO week in the configured time zone
--   requests  requests that reached it
--   tokens  reported tokens of these
--   key_limit_rejections  requests refused by a limit of the key, user or team
--   deployment_limit_rejections  requests refused by LiteLLM's own limit of the deployment, or because all cooled down
--   vendor_rejections  requests that the provider refused with its rate limit
WITH minutes AS (
  SELECT
    g.deployment_id,
    CAST(date_trunc('minute', g.started_at) AS TIMESTAMP) AS minute_at,
    count(*) FILTER (
      WHERE g.error_kind IS NULL OR g.error_kind IN (
        'vendor_rate_limit', 'timeout', 'content_filter', 'context_window', 'provider_auth', 'provider_error',
        'bad_request', 'client_disconnect'
      )
    ) AS requests,
    CAST(coalesce(sum(g.prompt_tokens + g.output_tokens) FILTER (WHERE g.tokens_basis = 'reported'), 0) AS BIGINT) AS tokens,
    count(*) FILTER (
      WHERE g.error_kind IN ('key_rpm_limit', 'key_tpm_limit', 'key_parallel_limit', 'key_limit')
    ) AS key_limit_rejections,
    count(*) FILTER (WHERE g.error_kind IN ('deployment_limit', 'no_deployment')) AS deployment_limit_rejections,
    count(*) FILTER (WHERE g.error_kind = 'vendor_rate_limit' AND g.is_request) AS vendor_rejections
  FROM core.gateway_calls g
  WHERE g.deployment_id IS NOT NULL
  GROUP BY g.deployment_id, CAST(date_trunc('minute', g.started_at) AS TIMESTAMP)
),
scoped AS (
  SELECT
    'deployment' AS scope, m.deployment_id AS name, m.minute_at, m.requests, m.tokens, m.key_limit_rejections,
    m.deployment_limit_rejections, m.vendor_rejections
  FROM minutes m
  UNION ALL
  SELECT
    'pool' AS scope, d.pool AS name, m.minute_at,
    CAST(sum(m.requests) AS BIGINT) AS requests,
    CAST(sum(m.tokens) AS BIGINT) AS tokens,
    CAST(sum(m.key_limit_rejections) AS BIGINT) AS key_limit_rejections,
    CAST(sum(m.deployment_limit_rejections) AS BIGINT) AS deployment_limit_rejections,
    CAST(sum(m.vendor_rejections) AS BIGINT) AS vendor_rejections
  FROM minutes m
  JOIN core.deployments d ON d.deployment_id = m.deployment_id
  WHERE d.pool IS NOT NULL
  GROUP BY d.pool, m.minute_at
)
SELECT
  s.scope, s.name, s.minute_at,
  CASE WHEN s.minute_at >= h.midnight_at THEN h.next_date ELSE h.local_date END AS local_date,
  CASE WHEN s.minute_at >= h.midnight_at THEN h.next_week ELSE h.local_week END AS local_week,
  s.requests, s.tokens, s.key_limit_rejections, s.deployment_limit_rejections, s.vendor_rejections
FROM scoped s
JOIN conf.hours h ON h.starts_at = CAST(date_trunc('hour', s.minute_at) AS TIMESTAMP)
