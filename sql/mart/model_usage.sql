-- Which models served, what they cost, and which have no list price.
-- Grain: one row per (window_id, provider, model, model_group_requested).
-- Columns:
--   window_id  window
--   provider  provider that served
--   model  model that served
--   model_group_requested  model group or alias asked for
--   calls  model requests
--   error_calls  of these, failed or aborted
--   input_tokens  input tokens, cached ones excluded
--   cache_read_tokens  tokens read from the prompt cache
--   cache_write_tokens  tokens written to the prompt cache
--   output_tokens  output tokens, reasoning included
--   total_tokens  all tokens
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   rank_usd  the money that shares and rankings of the window use (USD)
--   call_share  of the window's requests, 0 to 1; NULL when it has none
--   rank_share  of the window's rank_usd, 0 to 1; NULL when that is zero
--   context_tokens_per_call  input and cached tokens carried by a successful request, on average; NULL without one
--   is_priced  whether every reported token has a list price
WITH grouped AS (
  SELECT
    u.window_id,
    u.provider,
    u.model,
    u.model_group_requested,
    sum(u.unpriced_tokens) AS unpriced_tokens,
    sum(u.calls) FILTER (WHERE NOT u.is_previous) AS calls,
    sum(u.error_calls) FILTER (WHERE NOT u.is_previous) AS error_calls,
    sum(u.input_tokens) FILTER (WHERE NOT u.is_previous) AS input_tokens,
    sum(u.cache_read_tokens) FILTER (WHERE NOT u.is_previous) AS cache_read_tokens,
    sum(u.cache_write_tokens) FILTER (WHERE NOT u.is_previous) AS cache_write_tokens,
    sum(u.output_tokens) FILTER (WHERE NOT u.is_previous) AS output_tokens,
    sum(u.total_tokens) FILTER (WHERE NOT u.is_previous) AS total_tokens,
    sum(u.cost_usd) FILTER (WHERE NOT u.is_previous) AS cost_usd,
    sum(u.list_usd) FILTER (WHERE NOT u.is_previous) AS list_usd,
    sum(u.rank_usd) FILTER (WHERE NOT u.is_previous) AS rank_usd
  FROM core.window_usage u
  WHERE NOT u.is_previous
  GROUP BY u.window_id, u.provider, u.model, u.model_group_requested
)
SELECT
  g.window_id,
  g.provider,
  g.model,
  g.model_group_requested,
  CAST(coalesce(g.calls, 0) AS BIGINT) AS calls,
  CAST(coalesce(g.error_calls, 0) AS BIGINT) AS error_calls,
  CAST(coalesce(g.input_tokens, 0) AS BIGINT) AS input_tokens,
  CAST(coalesce(g.cache_read_tokens, 0) AS BIGINT) AS cache_read_tokens,
  CAST(coalesce(g.cache_write_tokens, 0) AS BIGINT) AS cache_write_tokens,
  CAST(coalesce(g.output_tokens, 0) AS BIGINT) AS output_tokens,
  CAST(coalesce(g.total_tokens, 0) AS BIGINT) AS total_tokens,
  CAST(coalesce(g.cost_usd, 0) AS DECIMAL(28,12)) AS cost_usd,
  CAST(g.list_usd AS DECIMAL(28,12)) AS list_usd,
  CAST(coalesce(g.rank_usd, 0) AS DECIMAL(28,12)) AS rank_usd,
  CAST(g.calls AS DOUBLE) / nullif(CAST(sum(g.calls) OVER (PARTITION BY g.window_id) AS DOUBLE), 0) AS call_share,
  CAST(coalesce(g.rank_usd, 0) AS DOUBLE)
    / nullif(CAST(sum(CAST(coalesce(g.rank_usd, 0) AS DECIMAL(28,12))) OVER (PARTITION BY g.window_id) AS DOUBLE), 0)
    AS rank_share,
  CAST(g.input_tokens + g.cache_read_tokens + g.cache_write_tokens AS DOUBLE)
    / nullif(CAST(g.calls - g.error_calls AS DOUBLE), 0) AS context_tokens_per_call,
  g.unpriced_tokens = 0 AS is_priced
FROM grouped g
