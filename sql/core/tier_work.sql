-- Work per reporting window by what decides a tier: kind of work, job, method and the tier asked for.
-- Grain: one row per (window_id, category, job_name, method, requested_tier) with a call whose group is in a tier.
-- Columns:
--   window_id  window
--   category  what the operator calls the work
--   job_name  cron job or webhook task name; NULL for other work
--   method  method the client sent along; NULL when it sent none
--   requested_tier  tier asked for
--   calls  model requests
--   error_calls  of these, failed or aborted
--   retries  retries inside the model group that answered
--   input_tokens  reported input tokens, cached ones excluded
--   cache_read_tokens  reported tokens read from the prompt cache
--   cache_write_tokens  reported tokens written to the prompt cache
--   output_tokens  reported output tokens
--   unpriced_tokens  reported tokens of calls without a list price
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
WITH trailing_windows AS (
  SELECT w.window_id, w.starts_at, w.ends_at FROM core.windows w WHERE w.kind <> 'iso_week'
),
-- Added up once, by ISO week and trailing window, before it is laid out by window.
parts AS (
  SELECT
    c.local_week, t.window_id AS trailing_window_id, c.category, c.job_name, c.method, c.requested_tier,
    count(*) FILTER (WHERE c.is_request) AS calls,
    count(*) FILTER (WHERE c.is_request AND c.status <> 'ok') AS error_calls,
    coalesce(sum(c.attempted_retries), 0) AS retries,
    sum(CASE WHEN c.tokens_basis = 'reported' THEN c.input_tokens ELSE CAST(0 AS BIGINT) END) AS input_tokens,
    sum(CASE WHEN c.tokens_basis = 'reported' THEN c.cache_read_tokens ELSE CAST(0 AS BIGINT) END) AS cache_read_tokens,
    sum(CASE WHEN c.tokens_basis = 'reported' THEN c.cache_write_tokens ELSE CAST(0 AS BIGINT) END) AS cache_write_tokens,
    sum(CASE WHEN c.tokens_basis = 'reported' THEN c.output_tokens ELSE CAST(0 AS BIGINT) END) AS output_tokens,
    sum(CASE WHEN c.tokens_basis = 'reported' AND c.list_usd IS NULL THEN c.total_tokens ELSE CAST(0 AS BIGINT) END)
      AS unpriced_tokens,
    CAST(coalesce(sum(c.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM core.calls c
  LEFT JOIN trailing_windows t ON c.started_at >= t.starts_at AND c.started_at < t.ends_at
  WHERE c.requested_tier IS NOT NULL
  GROUP BY c.local_week, t.window_id, c.category, c.job_name, c.method, c.requested_tier
),
laid_out AS (
  SELECT p.local_week AS window_id, p.* FROM parts p
  UNION ALL
  SELECT p.trailing_window_id AS window_id, p.* FROM parts p
)
SELECT
  w.window_id, p.category, p.job_name, p.method, p.requested_tier,
  CAST(sum(p.calls) AS BIGINT) AS calls,
  CAST(sum(p.error_calls) AS BIGINT) AS error_calls,
  CAST(sum(p.retries) AS BIGINT) AS retries,
  CAST(sum(p.input_tokens) AS BIGINT) AS input_tokens,
  CAST(sum(p.cache_read_tokens) AS BIGINT) AS cache_read_tokens,
  CAST(sum(p.cache_write_tokens) AS BIGINT) AS cache_write_tokens,
  CAST(sum(p.output_tokens) AS BIGINT) AS output_tokens,
  CAST(sum(p.unpriced_tokens) AS BIGINT) AS unpriced_tokens,
  CAST(sum(p.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
  CAST(sum(p.list_usd) AS DECIMAL(28,12)) AS list_usd
FROM core.windows w
JOIN laid_out p ON p.window_id = w.window_id
GROUP BY w.window_id, p.category, p.job_name, p.method, p.requested_tier
