-- The headline of a reporting window: totals, coverage, and the window before.
-- Grain: one row per window_id, also for windows without any call.
-- Columns:
--   window_id  ISO week such as 2026-W47, or trailing_7d
--   kind  iso_week, trailing or trailing_before
--   label  the window in words
--   starts_at  first moment (UTC)
--   ends_at  first moment after it (UTC)
--   hours  true length in hours
--   is_complete  whether it has ended
--   has_data  whether any call lies in it
--   sessions  OpenClaw sessions with a call
--   turns  turns that began in it
--   calls  model requests
--   error_calls  of these, failed or aborted
--   input_tokens  input tokens, cached ones excluded
--   cache_read_tokens  tokens read from the prompt cache
--   cache_write_tokens  tokens written to the prompt cache
--   output_tokens  output tokens, reasoning included
--   total_tokens  all tokens
--   reasoning_tokens  reasoning tokens, part of output
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   rank_usd  the money that shares and rankings of the window use (USD)
--   spend_usd  LiteLLM's spend (USD); NULL without LiteLLM rows
--   estimate_usd  OpenClaw's own cost (USD); NULL without OpenClaw rows
--   rank_basis  cost or list: which money shares and rankings use
--   human_rank_usd  rank_usd of work that people started (USD)
--   autonomous_rank_usd  rank_usd of the rest (USD)
--   human_sessions  sessions in which people started work
--   autonomous_sessions  sessions in which nobody did
--   openclaw_calls  calls that OpenClaw saw
--   litellm_calls  requests that LiteLLM saw
--   matched_calls  successful calls that both saw
--   matched_share  matched calls of OpenClaw's successful calls, 0 to 1; NULL without LiteLLM rows or OpenClaw calls
--   estimate_calls  calls whose cost is OpenClaw's estimate
--   unpriced_models  models without a list price
--   unpriced_tokens  tokens of these
--   unknown_calls  calls whose session type is unknown
--   unknown_tokens  tokens of these
--   newest_call_at  last call (UTC)
--   previous_window_id  the window before
--   previous_label  the same in words
--   previous_has_data  whether any call lies in it; NULL when there is no window before
--   previous_sessions  sessions of the window before
--   previous_calls  requests of the window before
--   previous_total_tokens  tokens of the window before
--   previous_cost_usd  cost of the window before (USD)
--   previous_list_usd  list cost of the window before (USD)
--   previous_rank_usd  the window before, in the money of this one (USD)
--   change_usd  rank_usd minus previous_rank_usd (USD); NULL when the window before is empty
--   change_share  change_usd of previous_rank_usd; NULL when that is empty or zero
WITH totals AS (
  SELECT
    u.window_id,
    count(*) FILTER (WHERE NOT u.is_previous) AS rows_now,
    count(*) FILTER (WHERE u.is_previous) AS rows_before,
    count(DISTINCT u.session_id) FILTER (WHERE NOT u.is_previous) AS sessions,
    count(DISTINCT u.session_id) FILTER (WHERE u.is_previous) AS previous_sessions,
    count(DISTINCT u.session_id) FILTER (WHERE NOT u.is_previous AND u.trigger = 'human') AS human_sessions,
    sum(u.turns) FILTER (WHERE NOT u.is_previous) AS turns,
    sum(u.calls) FILTER (WHERE NOT u.is_previous) AS calls,
    sum(u.calls) FILTER (WHERE u.is_previous) AS previous_calls,
    sum(u.error_calls) FILTER (WHERE NOT u.is_previous) AS error_calls,
    sum(u.input_tokens) FILTER (WHERE NOT u.is_previous) AS input_tokens,
    sum(u.cache_read_tokens) FILTER (WHERE NOT u.is_previous) AS cache_read_tokens,
    sum(u.cache_write_tokens) FILTER (WHERE NOT u.is_previous) AS cache_write_tokens,
    sum(u.output_tokens) FILTER (WHERE NOT u.is_previous) AS output_tokens,
    sum(u.total_tokens) FILTER (WHERE NOT u.is_previous) AS total_tokens,
    sum(u.total_tokens) FILTER (WHERE u.is_previous) AS previous_total_tokens,
    sum(u.reasoning_tokens) FILTER (WHERE NOT u.is_previous) AS reasoning_tokens,
    sum(u.cost_usd) FILTER (WHERE NOT u.is_previous) AS cost_usd,
    sum(u.cost_usd) FILTER (WHERE u.is_previous) AS previous_cost_usd,
    sum(u.list_usd) FILTER (WHERE NOT u.is_previous) AS list_usd,
    sum(u.list_usd) FILTER (WHERE u.is_previous) AS previous_list_usd,
    sum(u.rank_usd) FILTER (WHERE NOT u.is_previous) AS rank_usd,
    sum(u.rank_usd) FILTER (WHERE u.is_previous) AS previous_rank_usd,
    sum(u.spend_usd) FILTER (WHERE NOT u.is_previous) AS spend_usd,
    sum(u.estimate_usd) FILTER (WHERE NOT u.is_previous) AS estimate_usd,
    sum(u.rank_usd) FILTER (WHERE NOT u.is_previous AND u.trigger = 'human') AS human_rank_usd,
    sum(u.rank_usd) FILTER (WHERE NOT u.is_previous AND u.trigger = 'autonomous') AS autonomous_rank_usd,
    sum(u.openclaw_calls) FILTER (WHERE NOT u.is_previous) AS openclaw_calls,
    sum(u.openclaw_ok_calls) FILTER (WHERE NOT u.is_previous) AS openclaw_ok_calls,
    sum(u.litellm_calls) FILTER (WHERE NOT u.is_previous) AS litellm_calls,
    sum(u.matched_calls) FILTER (WHERE NOT u.is_previous) AS matched_calls,
    sum(u.estimate_calls) FILTER (WHERE NOT u.is_previous) AS estimate_calls,
    count(DISTINCT u.model) FILTER (WHERE NOT u.is_previous AND u.unpriced_tokens > 0) AS unpriced_models,
    sum(u.unpriced_tokens) FILTER (WHERE NOT u.is_previous) AS unpriced_tokens,
    sum(u.calls) FILTER (WHERE NOT u.is_previous AND u.session_type = 'unknown') AS unknown_calls,
    sum(u.total_tokens) FILTER (WHERE NOT u.is_previous AND u.session_type = 'unknown') AS unknown_tokens,
    max(u.last_at) FILTER (WHERE NOT u.is_previous) AS newest_call_at
  FROM core.window_usage u
  GROUP BY u.window_id
)
SELECT
  w.window_id, w.kind, w.label, w.starts_at, w.ends_at, w.hours, w.is_complete,
  coalesce(t.rows_now, 0) > 0 AS has_data,
  coalesce(t.sessions, 0) AS sessions,
  CAST(coalesce(t.turns, 0) AS BIGINT) AS turns,
  CAST(coalesce(t.calls, 0) AS BIGINT) AS calls,
  CAST(coalesce(t.error_calls, 0) AS BIGINT) AS error_calls,
  CAST(coalesce(t.input_tokens, 0) AS BIGINT) AS input_tokens,
  CAST(coalesce(t.cache_read_tokens, 0) AS BIGINT) AS cache_read_tokens,
  CAST(coalesce(t.cache_write_tokens, 0) AS BIGINT) AS cache_write_tokens,
  CAST(coalesce(t.output_tokens, 0) AS BIGINT) AS output_tokens,
  CAST(coalesce(t.total_tokens, 0) AS BIGINT) AS total_tokens,
  CAST(coalesce(t.reasoning_tokens, 0) AS BIGINT) AS reasoning_tokens,
  CAST(coalesce(t.cost_usd, 0) AS DECIMAL(28,12)) AS cost_usd,
  CAST(t.list_usd AS DECIMAL(28,12)) AS list_usd,
  CAST(coalesce(t.rank_usd, 0) AS DECIMAL(28,12)) AS rank_usd,
  CAST(t.spend_usd AS DECIMAL(28,12)) AS spend_usd,
  CAST(t.estimate_usd AS DECIMAL(28,12)) AS estimate_usd,
  w.rank_basis,
  CAST(coalesce(t.human_rank_usd, 0) AS DECIMAL(28,12)) AS human_rank_usd,
  CAST(coalesce(t.autonomous_rank_usd, 0) AS DECIMAL(28,12)) AS autonomous_rank_usd,
  coalesce(t.human_sessions, 0) AS human_sessions,
  coalesce(t.sessions, 0) - coalesce(t.human_sessions, 0) AS autonomous_sessions,
  CAST(coalesce(t.openclaw_calls, 0) AS BIGINT) AS openclaw_calls,
  CAST(coalesce(t.litellm_calls, 0) AS BIGINT) AS litellm_calls,
  CAST(coalesce(t.matched_calls, 0) AS BIGINT) AS matched_calls,
  CASE WHEN t.litellm_calls > 0
    THEN CAST(t.matched_calls AS DOUBLE) / nullif(CAST(t.openclaw_ok_calls AS DOUBLE), 0) END AS matched_share,
  CAST(coalesce(t.estimate_calls, 0) AS BIGINT) AS estimate_calls,
  coalesce(t.unpriced_models, 0) AS unpriced_models,
  CAST(coalesce(t.unpriced_tokens, 0) AS BIGINT) AS unpriced_tokens,
  CAST(coalesce(t.unknown_calls, 0) AS BIGINT) AS unknown_calls,
  CAST(coalesce(t.unknown_tokens, 0) AS BIGINT) AS unknown_tokens,
  t.newest_call_at,
  w.previous_window_id,
  b.label AS previous_label,
  CASE WHEN w.previous_window_id IS NOT NULL THEN coalesce(t.rows_before, 0) > 0 END AS previous_has_data,
  coalesce(t.previous_sessions, 0) AS previous_sessions,
  CAST(coalesce(t.previous_calls, 0) AS BIGINT) AS previous_calls,
  CAST(coalesce(t.previous_total_tokens, 0) AS BIGINT) AS previous_total_tokens,
  CAST(coalesce(t.previous_cost_usd, 0) AS DECIMAL(28,12)) AS previous_cost_usd,
  CAST(t.previous_list_usd AS DECIMAL(28,12)) AS previous_list_usd,
  CAST(coalesce(t.previous_rank_usd, 0) AS DECIMAL(28,12)) AS previous_rank_usd,
  CASE WHEN t.rows_before > 0
    THEN CAST(
      CAST(coalesce(t.rank_usd, 0) AS DECIMAL(28,12)) - CAST(coalesce(t.previous_rank_usd, 0) AS DECIMAL(28,12))
      AS DECIMAL(28,12)) END AS change_usd,
  CASE WHEN t.rows_before > 0
    THEN (CAST(coalesce(t.rank_usd, 0) AS DOUBLE) - CAST(coalesce(t.previous_rank_usd, 0) AS DOUBLE))
      / nullif(CAST(coalesce(t.previous_rank_usd, 0) AS DOUBLE), 0) END AS change_share
FROM core.windows w
LEFT JOIN core.windows b ON b.window_id = w.previous_window_id
LEFT JOIN totals t ON t.window_id = w.window_id
