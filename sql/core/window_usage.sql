-- Usage per reporting window, by everything that marts group by. Every mart of a window adds up these rows.
-- Rows of the window before are here again with is_previous, so that a mart compares without a second reading; both are
-- valued by the money of the window they are counted for.
-- Grain: one row per (window_id, is_previous, host, agent_id, lane, session_id, category, session_type, trigger, provider,
--         model, model_group_requested).
-- Columns:
--   window_id  window that the row is counted for
--   is_previous  true for usage of the window before it
--   host  machine of the agent; NULL when only LiteLLM saw the calls
--   agent_id  agent; NULL when only LiteLLM saw the calls
--   lane  whose work it is
--   session_id  session; NULL when only LiteLLM saw the calls
--   category  what the operator calls the work
--   session_type  session type
--   trigger  human or autonomous
--   provider  provider that served
--   model  model that served
--   model_group_requested  model group asked for
--   calls  requests; attempt rows, health checks and probes are none
--   error_calls  of these, failed or aborted
--   turns  turns that began in the window
--   empty_polls  of these, turns whose answer only says that there was nothing to do
--   input_tokens  reported input tokens, cached ones excluded
--   cache_read_tokens  reported tokens read from the prompt cache
--   cache_write_tokens  reported tokens written to the prompt cache
--   output_tokens  reported output tokens
--   reasoning_tokens  reported reasoning tokens
--   total_tokens  reported tokens
--   unpriced_tokens  of these, tokens of calls without a list price
--   cost_usd  cost on the configured basis (USD)
--   spend_usd  LiteLLM's spend (USD)
--   estimate_usd  OpenClaw's own cost (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   rank_usd  the money that shares and rankings of the window use (USD)
--   openclaw_calls  calls that OpenClaw saw
--   openclaw_ok_calls  of these, successful ones
--   litellm_calls  calls that LiteLLM saw
--   matched_calls  successful calls that both saw
--   estimate_calls  calls whose cost is OpenClaw's estimate
--   first_at  first call (UTC)
--   last_at  last call (UTC)
WITH first_moments AS (
  SELECT c.turn_id, min(c.started_at) AS started_at
  FROM core.calls c
  WHERE c.turn_id IS NOT NULL
  GROUP BY c.turn_id
),
-- The call that a turn is counted with: its first one. Numbering all calls of all turns would sort them for that.
first_calls AS (
  SELECT c.turn_id, min(c.call_id) AS call_id
  FROM core.calls c
  JOIN first_moments f ON f.turn_id = c.turn_id AND f.started_at = c.started_at
  GROUP BY c.turn_id
),
begun AS (
  SELECT f.call_id, t.is_empty_poll
  FROM first_calls f
  LEFT JOIN core.turns t ON t.turn_id = f.turn_id
),
trailing_windows AS (
  SELECT w.window_id, w.starts_at, w.ends_at FROM core.windows w WHERE w.kind <> 'iso_week'
),
counted AS (
  SELECT
    c.*,
    t.window_id AS trailing_window_id,
    CASE WHEN c.tokens_basis = 'reported' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS is_reported,
    b.call_id IS NOT NULL AS begins_turn,
    b.is_empty_poll
  FROM core.calls c
  LEFT JOIN begun b ON b.call_id = c.call_id
  LEFT JOIN trailing_windows t ON c.started_at >= t.starts_at AND c.started_at < t.ends_at
  WHERE c.local_week IS NOT NULL
),
-- All calls are added up once, by ISO week and trailing window, before they are laid out by window.
parts AS (
  SELECT
    c.local_week, c.trailing_window_id,
    c.host, c.agent_id, c.lane, c.session_id, c.category, c.session_type, c.trigger, c.provider, c.model,
    c.model_group_requested,
    count(*) FILTER (WHERE c.is_request) AS calls,
    count(*) FILTER (WHERE c.is_request AND c.status <> 'ok') AS error_calls,
    count(*) FILTER (WHERE c.begins_turn) AS turns,
    count(*) FILTER (WHERE c.begins_turn AND c.is_empty_poll) AS empty_polls,
    sum(c.input_tokens * c.is_reported) AS input_tokens,
    sum(c.cache_read_tokens * c.is_reported) AS cache_read_tokens,
    sum(c.cache_write_tokens * c.is_reported) AS cache_write_tokens,
    sum(c.output_tokens * c.is_reported) AS output_tokens,
    sum(c.reasoning_tokens * c.is_reported) AS reasoning_tokens,
    sum(c.total_tokens * c.is_reported) AS total_tokens,
    coalesce(sum(c.total_tokens * c.is_reported) FILTER (WHERE c.list_usd IS NULL), 0) AS unpriced_tokens,
    sum(c.cost_usd) AS cost_usd,
    sum(c.spend_usd) AS spend_usd,
    sum(c.estimate_usd) AS estimate_usd,
    sum(c.list_usd) AS list_usd,
    count(*) FILTER (WHERE c.source IN ('both', 'openclaw')) AS openclaw_calls,
    count(*) FILTER (WHERE c.source IN ('both', 'openclaw') AND c.status = 'ok') AS openclaw_ok_calls,
    count(*) FILTER (WHERE c.source IN ('both', 'litellm') AND c.is_request) AS litellm_calls,
    count(*) FILTER (WHERE c.match_rule IN ('response_id', 'tokens_time')) AS matched_calls,
    count(*) FILTER (WHERE c.cost_basis = 'estimate') AS estimate_calls,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at
  FROM counted c
  GROUP BY
    c.local_week, c.trailing_window_id,
    c.host, c.agent_id, c.lane, c.session_id, c.category, c.session_type, c.trigger, c.provider, c.model,
    c.model_group_requested
),
laid_out AS (
  SELECT p.local_week AS window_id, p.* FROM parts p
  UNION ALL
  SELECT p.trailing_window_id AS window_id, p.* FROM parts p WHERE p.trailing_window_id IS NOT NULL
),
usage AS (
  SELECT
    w.window_id, p.host, p.agent_id, p.lane, p.session_id, p.category, p.session_type, p.trigger, p.provider, p.model,
    p.model_group_requested,
    CAST(sum(p.calls) AS BIGINT) AS calls,
    CAST(sum(p.error_calls) AS BIGINT) AS error_calls,
    CAST(sum(p.turns) AS BIGINT) AS turns,
    CAST(sum(p.empty_polls) AS BIGINT) AS empty_polls,
    sum(p.input_tokens) AS input_tokens,
    sum(p.cache_read_tokens) AS cache_read_tokens,
    sum(p.cache_write_tokens) AS cache_write_tokens,
    sum(p.output_tokens) AS output_tokens,
    sum(p.reasoning_tokens) AS reasoning_tokens,
    sum(p.total_tokens) AS total_tokens,
    sum(p.unpriced_tokens) AS unpriced_tokens,
    CAST(sum(p.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(p.spend_usd) AS DECIMAL(28,12)) AS spend_usd,
    CAST(sum(p.estimate_usd) AS DECIMAL(28,12)) AS estimate_usd,
    CAST(sum(p.list_usd) AS DECIMAL(28,12)) AS list_usd,
    CAST(sum(p.openclaw_calls) AS BIGINT) AS openclaw_calls,
    CAST(sum(p.openclaw_ok_calls) AS BIGINT) AS openclaw_ok_calls,
    CAST(sum(p.litellm_calls) AS BIGINT) AS litellm_calls,
    CAST(sum(p.matched_calls) AS BIGINT) AS matched_calls,
    CAST(sum(p.estimate_calls) AS BIGINT) AS estimate_calls,
    min(p.first_at) AS first_at,
    max(p.last_at) AS last_at
  FROM core.windows w
  JOIN laid_out p ON p.window_id = w.window_id
  GROUP BY
    w.window_id, p.host, p.agent_id, p.lane, p.session_id, p.category, p.session_type, p.trigger, p.provider, p.model,
    p.model_group_requested
),
periods AS (
  SELECT w.window_id, false AS is_previous, w.window_id AS usage_window_id, w.rank_basis
  FROM core.windows w
  UNION ALL
  SELECT w.window_id, true AS is_previous, w.previous_window_id AS usage_window_id, w.rank_basis
  FROM core.windows w
  WHERE w.previous_window_id IS NOT NULL
)
SELECT
  p.window_id, p.is_previous, u.host, u.agent_id, u.lane, u.session_id, u.category, u.session_type, u.trigger,
  u.provider, u.model, u.model_group_requested,
  u.calls, u.error_calls, u.turns, u.empty_polls,
  CAST(u.input_tokens AS BIGINT) AS input_tokens,
  CAST(u.cache_read_tokens AS BIGINT) AS cache_read_tokens,
  CAST(u.cache_write_tokens AS BIGINT) AS cache_write_tokens,
  CAST(u.output_tokens AS BIGINT) AS output_tokens,
  CAST(u.reasoning_tokens AS BIGINT) AS reasoning_tokens,
  CAST(u.total_tokens AS BIGINT) AS total_tokens,
  CAST(u.unpriced_tokens AS BIGINT) AS unpriced_tokens,
  CAST(u.cost_usd AS DECIMAL(28,12)) AS cost_usd,
  CAST(u.spend_usd AS DECIMAL(28,12)) AS spend_usd,
  CAST(u.estimate_usd AS DECIMAL(28,12)) AS estimate_usd,
  CAST(u.list_usd AS DECIMAL(28,12)) AS list_usd,
  CAST(CASE WHEN p.rank_basis = 'list' THEN u.list_usd ELSE u.cost_usd END AS DECIMAL(28,12)) AS rank_usd,
  u.openclaw_calls, u.openclaw_ok_calls, u.litellm_calls, u.matched_calls, u.estimate_calls, u.first_at, u.last_at
FROM periods p
JOIN usage u ON u.window_id = p.usage_window_id
