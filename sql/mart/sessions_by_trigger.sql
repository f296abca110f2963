-- Work that people asked for against work that started by itself, and webhooks against polls: how much, how long, what it cost.
-- A turn counts wholly in the window in which it began. Calls that only LiteLLM saw have no turns, sessions and durations.
-- Grain: one row per (window_id, trigger, started_by, session_type).
-- Columns:
--   window_id  window
--   trigger  human or autonomous
--   started_by  person, webhook (also a wake that no job asked for), clock (heartbeat or cron job), agent (sub-agents) or
--         program (everything else, also what only LiteLLM saw)
--   session_type  session type of the turns
--   sessions  OpenClaw sessions with such a turn; one session can have turns of several types
--   turns  turns that began in the window
--   empty_polls  of these, turns whose answer only says that there was nothing to do
--   failed_turns  of these, turns without a successful call
--   calls  model requests
--   total_tokens  reported tokens
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   rank_usd  the money that shares and rankings of the window use (USD)
--   rank_share  rank_usd of all rows of the window, 0 to 1; NULL when that is zero
--   usd_per_turn  rank_usd per turn (USD); NULL without turns
--   turn_seconds_p50  median duration of a turn (nearest rank: half of the turns took at most this long)
--   turn_seconds_p95  95th percentile of it (nearest rank)
--   session_seconds_p50  median time from the first such turn of a session to the end of its last one in the window
--   session_seconds_p95  95th percentile of it (nearest rank)
WITH timed AS (
  SELECT
    w.window_id, w.rank_basis, u.*,
    u.started_at + u.seconds * INTERVAL '1' SECOND AS ended_at,
    count(*) OVER (PARTITION BY w.window_id, u.trigger, u.started_by, u.session_type) AS turns,
    row_number() OVER (
      PARTITION BY w.window_id, u.trigger, u.started_by, u.session_type
      ORDER BY u.seconds NULLS LAST, u.turn_id NULLS LAST
    ) AS n
  FROM core.windows w
  JOIN core.work_units u ON u.started_at >= w.starts_at AND u.started_at < w.ends_at
),
turns AS (
  SELECT
    t.window_id, t.rank_basis, t.trigger, t.started_by, t.session_type,
    count(*) AS turns,
    count(*) FILTER (WHERE t.is_empty_poll) AS empty_polls,
    count(*) FILTER (WHERE t.is_failed) AS failed_turns,
    sum(t.calls) AS calls,
    sum(t.total_tokens) AS total_tokens,
    sum(t.cost_usd) AS cost_usd,
    sum(t.list_usd) AS list_usd,
    min(CASE WHEN t.n * 100 >= t.turns * 50 THEN t.seconds END) AS turn_seconds_p50,
    min(CASE WHEN t.n * 100 >= t.turns * 95 THEN t.seconds END) AS turn_seconds_p95
  FROM timed t
  GROUP BY t.window_id, t.rank_basis, t.trigger, t.started_by, t.session_type
),
spans AS (
  SELECT
    t.window_id, t.trigger, t.started_by, t.session_type, t.agent_id, t.session_id,
    min(t.started_at) AS first_at,
    max(t.ended_at) AS last_at
  FROM timed t
  GROUP BY t.window_id, t.trigger, t.started_by, t.session_type, t.agent_id, t.session_id
),
lengths AS (
  SELECT
    s.*,
    CAST(
      extract(day FROM date_trunc('day', s.last_at) - date_trunc('day', s.first_at)) * 86400
      + (hour(s.last_at) - hour(s.first_at)) * 3600
      + (minute(s.last_at) - minute(s.first_at)) * 60
      + (second(s.last_at) - second(s.first_at)) AS BIGINT) AS seconds
  FROM spans s
),
ranked AS (
  SELECT
    l.*,
    count(*) OVER (PARTITION BY l.window_id, l.trigger, l.started_by, l.session_type) AS sessions,
    row_number() OVER (
      PARTITION BY l.window_id, l.trigger, l.started_by, l.session_type
      ORDER BY l.seconds NULLS LAST, l.agent_id NULLS LAST, l.session_id NULLS LAST
    ) AS n
  FROM lengths l
),
sessions AS (
  SELECT
    r.window_id, r.trigger, r.started_by, r.session_type,
    count(*) AS sessions,
    min(CASE WHEN r.n * 100 >= r.sessions * 50 THEN r.seconds END) AS session_seconds_p50,
    min(CASE WHEN r.n * 100 >= r.sessions * 95 THEN r.seconds END) AS session_seconds_p95
  FROM ranked r
  GROUP BY r.window_id, r.trigger, r.started_by, r.session_type
),
gateway AS (
  SELECT
    u.window_id, u.trigger, u.session_type,
    sum(u.calls) AS calls,
    sum(u.total_tokens) AS total_tokens,
    sum(u.cost_usd) AS cost_usd,
    sum(u.list_usd) AS list_usd,
    sum(u.rank_usd) AS rank_usd
  FROM core.window_usage u
  WHERE u.session_id IS NULL AND NOT u.is_previous
  GROUP BY u.window_id, u.trigger, u.session_type
),
together AS (
  SELECT
    t.window_id, t.trigger, t.started_by, t.session_type, s.sessions, t.turns, t.empty_polls, t.failed_turns,
    CAST(t.calls AS BIGINT) AS calls,
    CAST(t.total_tokens AS BIGINT) AS total_tokens,
    CAST(coalesce(t.cost_usd, 0) AS DECIMAL(28,12)) AS cost_usd,
    CAST(t.list_usd AS DECIMAL(28,12)) AS list_usd,
    CAST(coalesce(CASE WHEN t.rank_basis = 'list' THEN t.list_usd ELSE t.cost_usd END, 0) AS DECIMAL(28,12)) AS rank_usd,
    t.turn_seconds_p50, t.turn_seconds_p95, s.session_seconds_p50, s.session_seconds_p95
  FROM turns t
  JOIN sessions s
    ON s.window_id = t.window_id AND s.started_by = t.started_by AND s.session_type = t.session_type
  UNION ALL
  SELECT
    g.window_id, g.trigger, 'program' AS started_by, g.session_type,
    CAST(0 AS BIGINT) AS sessions, CAST(0 AS BIGINT) AS turns, CAST(0 AS BIGINT) AS empty_polls,
    CAST(0 AS BIGINT) AS failed_turns,
    CAST(g.calls AS BIGINT) AS calls,
    CAST(g.total_tokens AS BIGINT) AS total_tokens,
    CAST(coalesce(g.cost_usd, 0) AS DECIMAL(28,12)) AS cost_usd,
    CAST(g.list_usd AS DECIMAL(28,12)) AS list_usd,
    CAST(coalesce(g.rank_usd, 0) AS DECIMAL(28,12)) AS rank_usd,
    CAST(NULL AS BIGINT) AS turn_seconds_p50, CAST(NULL AS BIGINT) AS turn_seconds_p95,
    CAST(NULL AS BIGINT) AS session_seconds_p50, CAST(NULL AS BIGINT) AS session_seconds_p95
  FROM gateway g
),
summed AS (
  SELECT
    t.window_id, t.trigger, t.started_by, t.session_type,
    CAST(sum(t.sessions) AS BIGINT) AS sessions,
    CAST(sum(t.turns) AS BIGINT) AS turns,
    CAST(sum(t.empty_polls) AS BIGINT) AS empty_polls,
    CAST(sum(t.failed_turns) AS BIGINT) AS failed_turns,
    CAST(sum(t.calls) AS BIGINT) AS calls,
    CAST(sum(t.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(t.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(t.list_usd) AS DECIMAL(28,12)) AS list_usd,
    CAST(sum(t.rank_usd) AS DECIMAL(28,12)) AS rank_usd,
    max(t.turn_seconds_p50) AS turn_seconds_p50,
    max(t.turn_seconds_p95) AS turn_seconds_p95,
    max(t.session_seconds_p50) AS session_seconds_p50,
    max(t.session_seconds_p95) AS session_seconds_p95
  FROM together t
  GROUP BY t.window_id, t.trigger, t.started_by, t.session_type
)
SELECT
  s.window_id, s.trigger, s.started_by, s.session_type, s.sessions, s.turns, s.empty_polls, s.failed_turns, s.calls,
  s.total_tokens, s.cost_usd, s.list_usd, s.rank_usd,
  CAST(s.rank_usd AS DOUBLE) / nullif(CAST(sum(s.rank_usd) OVER (PARTITION BY s.window_id) AS DOUBLE), 0) AS rank_share,
  CAST(s.rank_usd AS DOUBLE) / nullif(CAST(s.turns AS DOUBLE), 0) AS usd_per_turn,
  s.turn_seconds_p50, s.turn_seconds_p95, s.session_seconds_p50, s.session_seconds_p95
FROM summed s
