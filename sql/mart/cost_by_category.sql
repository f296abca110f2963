-- What each kind of work costs in a window, and what it did in the window before.
-- Grain: one row per (window_id, category); also categories that only the window before had.
-- Columns:
--   window_id  window
--   category  what the operator calls the work
--   sessions  OpenClaw sessions with such a call
--   turns  turns that began in the window
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
--   rank_share  rank_usd of the window's rank_usd, 0 to 1; NULL when that is zero
--   previous_calls  requests of the window before
--   previous_rank_usd  the window before, in the money of this one (USD)
--   change_usd  rank_usd minus previous_rank_usd (USD)
--   empty_polls  turns whose answer only says that there was nothing to do
WITH grouped AS (
  SELECT
    u.window_id,
    u.category,
    count(DISTINCT u.session_id) FILTER (WHERE NOT u.is_previous) AS sessions,
    sum(u.turns) FILTER (WHERE NOT u.is_previous) AS turns,
    sum(u.calls) FILTER (WHERE NOT u.is_previous) AS calls,
    sum(u.error_calls) FILTER (WHERE NOT u.is_previous) AS error_calls,
    sum(u.empty_polls) FILTER (WHERE NOT u.is_previous) AS empty_polls,
    sum(u.input_tokens) FILTER (WHERE NOT u.is_previous) AS input_tokens,
    sum(u.cache_read_tokens) FILTER (WHERE NOT u.is_previous) AS cache_read_tokens,
    sum(u.cache_write_tokens) FILTER (WHERE NOT u.is_previous) AS cache_write_tokens,
    sum(u.output_tokens) FILTER (WHERE NOT u.is_previous) AS output_tokens,
    sum(u.total_tokens) FILTER (WHERE NOT u.is_previous) AS total_tokens,
    sum(u.cost_usd) FILTER (WHERE NOT u.is_previous) AS cost_usd,
    sum(u.list_usd) FILTER (WHERE NOT u.is_previous) AS list_usd,
    sum(u.rank_usd) FILTER (WHERE NOT u.is_previous) AS rank_usd,
    sum(u.calls) FILTER (WHERE u.is_previous) AS previous_calls,
    sum(u.rank_usd) FILTER (WHERE u.is_previous) AS previous_rank_usd
  FROM core.window_usage u
  GROUP BY u.window_id, u.category
)
SELECT
  g.window_id,
  g.category,
  g.sessions,
  CAST(coalesce(g.turns, 0) AS BIGINT) AS turns,
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
  CAST(coalesce(g.rank_usd, 0) AS DOUBLE)
    / nullif(CAST(sum(CAST(coalesce(g.rank_usd, 0) AS DECIMAL(28,12))) OVER (PARTITION BY g.window_id) AS DOUBLE), 0)
    AS rank_share,
  CAST(coalesce(g.previous_calls, 0) AS BIGINT) AS previous_calls,
  CAST(coalesce(g.previous_rank_usd, 0) AS DECIMAL(28,12)) AS previous_rank_usd,
  CAST(
    CAST(coalesce(g.rank_usd, 0) AS DECIMAL(28,12)) - CAST(coalesce(g.previous_rank_usd, 0) AS DECIMAL(28,12))
    AS DECIMAL(28,12)) AS change_usd,
  CAST(coalesce(g.empty_polls, 0) AS BIGINT) AS empty_polls
FROM grouped g
