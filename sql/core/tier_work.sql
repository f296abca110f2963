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
SELECT
  w.window_id, c.category, c.job_name, c.method, c.requested_tier,
  count(*) FILTER (WHERE c.is_request) AS calls,
  count(*) FILTER (WHERE c.is_request AND c.status <> 'ok') AS error_calls,
  CAST(coalesce(sum(c.attempted_retries), 0) AS BIGINT) AS retries,
  CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.input_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS input_tokens,
  CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.cache_read_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT)
    AS cache_read_tokens,
  CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.cache_write_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT)
    AS cache_write_tokens,
  CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.output_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS output_tokens,
  CAST(sum(CASE WHEN c.tokens_basis = 'reported' AND c.list_usd IS NULL THEN c.total_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT)
    AS unpriced_tokens,
  CAST(coalesce(sum(c.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd,
  CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd
FROM core.windows w
JOIN core.calls c ON c.started_at >= w.starts_at AND c.started_at < w.ends_at
WHERE c.requested_tier IS NOT NULL
GROUP BY w.window_id, c.category, c.job_name, c.method, c.requested_tier
