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
    w.window_id, w.rank_basis, u.trigger, u.started_by, u.session_type, u.agent_id, u.session_id, u.started_at, u.seconds,
    u.is_empty_poll, u.is_failed, u.calls, u.total_tokens, u.cost_usd, u.list_usd
  FROM core.windows w
  JOIN core.work_units u ON u.started_at >= w.starts_at AND u.started_at < w.ends_at
),
-- Percentiles are read off the counts per duration: far fewer rows to sort than turns.
durations AS (
  SELECT
    t.window_id, t.rank_basis, t.trigger, t.started_by, t.session_type, t.seconds,
    count(*) AS turns,
    count(*) FILTER (WHERE t.is_empty_poll) AS empty_polls,
    count(*) FILTER (WHERE t.is_failed) AS failed_turns,
    sum(t.calls) AS calls,
    sum(t.total_tokens) AS total_tokens,
    CAST(sum(t.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(t.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM timed t
  GROUP BY t.window_id, t.rank_basis, t.trigger, t.started_by, t.session_type, t.seconds
),
ranked AS (
  SELECT
    d.*,
    sum(d.turns) OVER (
      PARTITION BY d.window_id, d.started_by, d.session_type
      ORDER BY d.seconds NULLS LAST ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS turns_up_to,
    sum(d.turns) OVER (PARTITION BY d.window_id, d.started_by, d.session_type) AS all_turns
  FROM durations d
),
turns AS (
  SELECT
    r.window_id, r.rank_basis, r.trigger, r.started_by, r.session_type,
    CAST(sum(r.turns) AS BIGINT) AS turns,
    CAST(sum(r.empty_polls) AS BIGINT) AS empty_polls,
    CAST(sum(r.failed_turns) AS BIGINT) AS failed_turns,
    CAST(sum(r.calls) AS BIGINT) AS calls,
    CAST(sum(r.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(r.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(r.list_usd) AS DECIMAL(28,12)) AS list_usd,
    min(CASE WHEN r.turns_up_to * 100 >= r.all_turns * 50 THEN r.seconds END) AS turn_seconds_p50,
    min(CASE WHEN r.turns_up_to * 100 >= r.all_turns * 95 THEN r.seconds END) AS turn_seconds_p95
  FROM ranked r
  GROUP BY r.window_id, r.rank_basis, r.trigger, r.started_by, r.session_type
),
spans AS (
  SELECT
    t.window_id, t.started_by, t.session_type, t.agent_id, t.session_id,
    min(t.started_at) AS first_at,
    max(t.started_at + t.seconds * INTERVAL '1' SECOND) AS last_at
  FROM timed t
  GROUP BY t.window_id, t.started_by, t.session_type, t.agent_id, t.session_id
),
lengths AS (
  SELECT
    s.window_id, s.started_by, s.session_type,
    CAST(
      extract(day FROM date_trunc('day', s.last_at) - date_trunc('day', s.first_at)) * 86400
      + (hour(s.last_at) - hour(s.first_at)) * 3600
      + (minute(s.last_at) - minute(s.first_at)) * 60
      + (second(s.last_at) - second(s.first_at)) AS BIGINT) AS seconds
  FROM spans s
),
counted AS (
  SELECT l.window_id, l.started_by, l.session_type, l.seconds, count(*) AS sessions
  FROM lengths l
  GROUP BY l.window_id, l.started_by, l.session_type, l.seconds
),
ranked_sessions AS (
  SELECT
    c.*,
    sum(c.sessions) OVER (
      PARTITION BY c.window_id, c.started_by, c.session_type
      ORDER BY c.seconds NULLS LAST ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS sessions_up_to,
    sum(c.sessions) OVER (PARTITION BY c.window_id, c.started_by, c.session_type) AS all_sessions
  FROM counted c
),
sessions AS (
  SELECT
    r.window_id, r.started_by, r.session_type,
    CAST(sum(r.sessions) AS BIGINT) AS sessions,
    min(CASE WHEN r.sessions_up_to * 100 >= r.all_sessions * 50 THEN r.seconds END) AS session_seconds_p50,
    min(CASE WHEN r.sessions_up_to * 100 >= r.all_sessions * 95 THEN r.seconds END) AS session_seconds_p95
  FROM ranked_sessions r
  GROUP BY r.window_id, r.started_by, r.session_type
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
