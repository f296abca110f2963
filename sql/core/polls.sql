-- Polls: every time a heartbeat or a cron job had an agent look for work, also when no model was called.
-- Turns that a heartbeat or a cron job began are polls; those of one run in the run log (a second model is asked in a turn of its
-- own) are one. A run that no turn belongs to is a poll too: a command, a heartbeat with nothing to read, a run whose transcript
-- is gone. Other jobs that OpenClaw made itself are none.
-- Grain: one row per poll_id.
-- Columns:
--   poll_id  run/ with host, job, end and key of the run, else the turn
--   host  machine of the agent
--   agent_id  agent
--   poll_kind  heartbeat or cron
--   job_id  cron job; NULL for heartbeats
--   poll_name  name of the job, its id when it has none, or heartbeat
--   started_at  start (UTC)
--   previous_at  start of the poll before it by the same job or heartbeat, skipped ones left out (UTC)
--   is_same_minute  another agent began a poll in the same minute
--   is_skipped  put off by OpenClaw because something else was under way
--   is_failed  it ended without an answer
--   is_empty  its answer only says that there was nothing to do
--   calls  model requests; 0 when none is known
--   output_tokens  reported output tokens
--   total_tokens  reported tokens
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   ticket_key  ticket the client sent along
WITH turns AS (
  SELECT
    u.turn_id, u.host, u.agent_id, u.session_id,
    CASE WHEN u.session_type = 'heartbeat' THEN 'heartbeat' ELSE 'cron' END AS poll_kind,
    u.job_id,
    CASE WHEN u.session_type = 'heartbeat' THEN 'heartbeat' ELSE coalesce(j.name, u.job_name, u.job_id, 'unknown job') END
      AS poll_name,
    u.started_at, CAST(date_trunc('hour', u.started_at) AS TIMESTAMP) AS hour, u.is_failed, u.is_empty_poll, u.calls, u.output_tokens, u.total_tokens,
    u.cost_usd, u.list_usd, u.ticket_key
  FROM core.work_units u
  LEFT JOIN core.cron_jobs j ON j.host = u.host AND j.job_id = u.job_id
  WHERE u.started_by = 'clock' AND NOT coalesce(j.is_builtin, false)
),
-- What a turn can be recognised by: its session; without one in the run log its job; else what woke its agent.
marks AS (
  SELECT t.turn_id, t.host, t.hour, 'session ' || t.session_id AS mark, t.started_at FROM turns t
  UNION ALL
  SELECT t.turn_id, t.host, t.hour, 'job ' || t.job_id AS mark, t.started_at FROM turns t
  UNION ALL
  SELECT
    t.turn_id, t.host, t.hour,
    CASE WHEN t.poll_kind = 'heartbeat' THEN 'heartbeat ' ELSE 'event ' END || t.agent_id AS mark,
    t.started_at
  FROM turns t
  WHERE t.job_id IS NULL
),
runs AS (
  SELECT
    r.*,
    'run/' || r.host || '/' || r.job_id || '/' || CAST(r.finished_at AS STRING) || '/' || r.run_key AS poll_id,
    coalesce(j.payload_kind, '') = 'heartbeat' AS is_heartbeat,
    coalesce(r.agent_id, 'main') AS agent,
    CASE WHEN r.session_id IS NOT NULL THEN 'session ' || r.session_id ELSE 'job ' || r.job_id END AS mark,
    CASE j.payload_kind
      WHEN 'heartbeat' THEN 'heartbeat ' || coalesce(r.agent_id, 'main')
      WHEN 'systemEvent' THEN 'event ' || coalesce(r.agent_id, 'main')
    END AS other_mark
  FROM core.cron_runs r
  LEFT JOIN core.cron_jobs j ON j.host = r.host AND j.job_id = r.job_id
  WHERE NOT r.is_builtin OR j.payload_kind = 'heartbeat'
),
run_marks AS (
  SELECT r.poll_id, r.host, r.mark, 1 AS choice, r.started_at, r.finished_at FROM runs r
  UNION ALL
  SELECT r.poll_id, r.host, r.other_mark AS mark, 2 AS choice, r.started_at, r.finished_at FROM runs r
),
-- A turn of a run begins in the hour in which the run begins or in the next: equal hours keep the join small.
hours AS (
  SELECT m.*, CAST(date_trunc('hour', m.started_at - INTERVAL '5' SECOND) AS TIMESTAMP) AS hour
  FROM run_marks m
  UNION ALL
  SELECT m.*, CAST(date_trunc('hour', m.started_at + INTERVAL '3595' SECOND) AS TIMESTAMP) AS hour
  FROM run_marks m
),
candidates AS (
  SELECT m.turn_id, r.poll_id, r.started_at, r.choice
  FROM hours r
  JOIN marks m
    ON m.host = r.host AND m.mark = r.mark AND m.hour = r.hour
    -- An event that waits for the next heartbeat is answered after its run has ended.
    AND m.started_at >= r.started_at - INTERVAL '5' SECOND AND m.started_at <= r.finished_at + INTERVAL '2' MINUTE
),
matched AS (
  SELECT
    c.turn_id, c.poll_id,
    row_number() OVER (
      PARTITION BY c.turn_id
      ORDER BY c.choice NULLS LAST, c.started_at DESC NULLS LAST, c.poll_id NULLS LAST
    ) AS n
  FROM candidates c
),
answered AS (
  SELECT
    coalesce(x.poll_id, t.turn_id) AS poll_id,
    min(t.host) AS host,
    min(t.agent_id) AS agent_id,
    min(t.poll_kind) AS poll_kind,
    min(CASE WHEN t.poll_kind = 'cron' THEN coalesce(r.job_id, t.job_id) END) AS job_id,
    min(CASE WHEN t.poll_kind = 'cron' THEN coalesce(r.job_name, r.job_id, t.poll_name) ELSE t.poll_name END) AS poll_name,
    min(t.started_at) AS started_at,
    bool_and(t.is_failed) AS is_failed,
    bool_or(t.is_empty_poll OR coalesce(r.is_empty_poll, false)) AS is_empty,
    CAST(sum(t.calls) AS BIGINT) AS calls,
    CAST(sum(t.output_tokens) AS BIGINT) AS output_tokens,
    CAST(sum(t.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(t.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(t.list_usd) AS DECIMAL(28,12)) AS list_usd,
    min(t.ticket_key) AS ticket_key
  FROM turns t
  LEFT JOIN matched x ON x.turn_id = t.turn_id AND x.n = 1
  LEFT JOIN runs r ON r.poll_id = x.poll_id
  GROUP BY coalesce(x.poll_id, t.turn_id)
),
polls AS (
  SELECT
    a.poll_id, a.host, a.agent_id, a.poll_kind, a.job_id, a.poll_name, a.started_at,
    false AS is_skipped, a.is_failed, a.is_empty, a.calls, a.output_tokens, a.total_tokens,
    CAST(coalesce(a.cost_usd, 0) AS DECIMAL(28,12)) AS cost_usd,
    a.list_usd, a.ticket_key
  FROM answered a
  UNION ALL
  SELECT
    r.poll_id,
    r.host,
    r.agent AS agent_id,
    CASE WHEN r.is_heartbeat THEN 'heartbeat' ELSE 'cron' END AS poll_kind,
    CASE WHEN r.is_heartbeat THEN CAST(NULL AS STRING) ELSE r.job_id END AS job_id,
    CASE WHEN r.is_heartbeat THEN 'heartbeat' ELSE coalesce(r.job_name, r.job_id) END AS poll_name,
    coalesce(r.started_at, r.finished_at) AS started_at,
    r.status = 'skipped' AS is_skipped,
    r.status = 'error' AS is_failed,
    -- A heartbeat that called no model had nothing to read, or its empty answer was cut off the transcript.
    r.is_empty_poll OR (r.is_heartbeat AND r.status = 'ok') AS is_empty,
    CAST(0 AS BIGINT) AS calls,
    CAST(0 AS BIGINT) AS output_tokens,
    CAST(0 AS BIGINT) AS total_tokens,
    CAST(0 AS DECIMAL(28,12)) AS cost_usd,
    CAST(NULL AS DECIMAL(28,12)) AS list_usd,
    CAST(NULL AS STRING) AS ticket_key
  FROM runs r
  LEFT JOIN answered a ON a.poll_id = r.poll_id
  WHERE a.poll_id IS NULL
),
timed AS (
  SELECT
    p.*,
    CAST(date_trunc('minute', p.started_at) AS TIMESTAMP) AS minute,
    CASE WHEN NOT p.is_skipped THEN lag(p.started_at) OVER (
      PARTITION BY p.host, p.agent_id, p.poll_kind, p.job_id, p.is_skipped
      ORDER BY p.started_at NULLS FIRST, p.poll_id NULLS FIRST
    ) END AS previous_at
  FROM polls p
),
busy AS (
  SELECT a.minute
  FROM (SELECT DISTINCT t.minute, t.host, t.agent_id FROM timed t WHERE NOT t.is_skipped) a
  GROUP BY a.minute
  HAVING count(*) > 1
)
SELECT
  t.poll_id, t.host, t.agent_id, t.poll_kind, t.job_id, t.poll_name, t.started_at, t.previous_at,
  b.minute IS NOT NULL AND NOT t.is_skipped AS is_same_minute,
  t.is_skipped, t.is_failed, t.is_empty, t.calls, t.output_tokens, t.total_tokens, t.cost_usd, t.list_usd, t.ticket_key
FROM timed t
LEFT JOIN busy b ON b.minute = t.minute
