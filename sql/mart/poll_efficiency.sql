-- What looking for work costs when there is none: per cron job, heartbeat and agent, with what another interval would save.
-- Polls without a model call count as runs. Savings suppose that work waits for the next poll: they are estimates, at the
-- money that rankings of the window use.
-- Grain: one row per (window_id, scope, host, agent_id, job_id); heartbeats and agents have no job_id.
-- Columns:
--   window_id  window
--   scope  job, heartbeat, or agent for all polls of an agent together
--   host  machine of the agent
--   agent_id  agent
--   job_id  cron job
--   poll_name  name of the job, heartbeat, or all polls
--   runs  polls that began in the window, skipped ones left out
--   model_runs  of these, with a model call that is known
--   skipped_runs  polls that OpenClaw put off because something else was under way
--   failed_runs  of the runs, ended without an answer
--   empty_runs  of the runs, with an answer that there was nothing to do
--   empty_share  empty_runs of runs, 0 to 1
--   work_runs  of the runs, neither empty nor failed
--   work_per_run  work_runs of runs, 0 to 1
--   tickets  different tickets that the calls of these runs named
--   tickets_per_run  tickets per run
--   total_tokens  reported tokens of the runs
--   empty_tokens  of these, of empty runs
--   empty_output_per_run  output tokens per empty run with a model call
--   long_empty_runs  empty runs that say more than agent_thresholds.empty_poll_output_tokens
--   cost_usd  cost of the runs on the configured basis (USD)
--   empty_cost_usd  of this, of empty runs (USD)
--   empty_list_usd  empty runs at list prices (USD); NULL when nothing is priced
--   empty_rank_usd  empty runs in the money that rankings of the window use (USD)
--   interval_seconds_p50  median time from one run to the next; NULL with one run
--   same_minute_runs  runs that began in a minute in which another agent polled too
--   saving_double_usd  what twice the interval would save: half of the empty runs (USD)
--   configured_seconds  interval to compare with (setting poll_intervals); NULL when none is set
--   saving_configured_usd  what that interval would save (USD); 0 when it is shorter, NULL when none is set
WITH busy AS (
  SELECT a.minute
  FROM (SELECT DISTINCT p.minute, p.host, p.agent_id FROM core.polls p WHERE NOT p.is_skipped) a
  GROUP BY a.minute
  HAVING count(*) > 1
),
polls AS (
  SELECT p.poll_kind AS kind, p.*, b.minute IS NOT NULL AS is_same_minute
  FROM core.polls p
  LEFT JOIN busy b ON b.minute = p.minute
),
scoped AS (
  SELECT
    CASE WHEN p.kind = 'heartbeat' THEN 'heartbeat' ELSE 'job' END AS scope, p.job_id AS scope_job_id,
    p.poll_name AS scope_name, p.*
  FROM polls p
  UNION ALL
  SELECT 'agent' AS scope, CAST(NULL AS STRING) AS scope_job_id, 'all polls' AS scope_name, p.*
  FROM polls p
),
placed AS (
  SELECT
    w.window_id, w.rank_basis, s.*,
    lag(s.started_at) OVER (
      PARTITION BY w.window_id, s.scope, s.host, s.agent_id, s.scope_job_id, s.is_skipped
      ORDER BY s.started_at NULLS FIRST, s.poll_id NULLS FIRST
    ) AS previous_at
  FROM core.windows w
  JOIN scoped s ON s.started_at >= w.starts_at AND s.started_at < w.ends_at
),
timed AS (
  SELECT
    p.*,
    CASE WHEN NOT p.is_skipped THEN CAST(
      extract(day FROM date_trunc('day', p.started_at) - date_trunc('day', p.previous_at)) * 86400
      + (hour(p.started_at) - hour(p.previous_at)) * 3600
      + (minute(p.started_at) - minute(p.previous_at)) * 60
      + (second(p.started_at) - second(p.previous_at)) AS DOUBLE) END AS interval_seconds
  FROM placed p
),
grouped AS (
  SELECT
    t.window_id, t.rank_basis, t.scope, t.host, t.agent_id, t.scope_job_id,
    min(t.scope_name) AS poll_name,
    count(*) FILTER (WHERE NOT t.is_skipped) AS runs,
    count(*) FILTER (WHERE t.calls > 0) AS model_runs,
    count(*) FILTER (WHERE t.is_skipped) AS skipped_runs,
    count(*) FILTER (WHERE t.is_failed) AS failed_runs,
    count(*) FILTER (WHERE t.is_empty) AS empty_runs,
    count(*) FILTER (WHERE t.is_empty AND t.calls > 0) AS empty_model_runs,
    count(*) FILTER (WHERE NOT t.is_empty AND NOT t.is_failed AND NOT t.is_skipped) AS work_runs,
    count(DISTINCT t.ticket_key) AS tickets,
    sum(t.total_tokens) AS total_tokens,
    sum(t.total_tokens) FILTER (WHERE t.is_empty) AS empty_tokens,
    sum(t.output_tokens) FILTER (WHERE t.is_empty) AS empty_output_tokens,
    count(*) FILTER (WHERE t.is_empty AND t.output_tokens > h.empty_poll_output_tokens) AS long_empty_runs,
    sum(t.cost_usd) AS cost_usd,
    sum(t.cost_usd) FILTER (WHERE t.is_empty) AS empty_cost_usd,
    sum(t.list_usd) FILTER (WHERE t.is_empty) AS empty_list_usd,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY t.interval_seconds) AS interval_seconds_p50,
    count(*) FILTER (WHERE t.is_same_minute AND NOT t.is_skipped) AS same_minute_runs
  FROM timed t
  CROSS JOIN conf.agent_thresholds h
  GROUP BY t.window_id, t.rank_basis, t.scope, t.host, t.agent_id, t.scope_job_id
),
valued AS (
  SELECT
    g.*,
    CAST(coalesce(CASE WHEN g.rank_basis = 'list' THEN g.empty_list_usd ELSE g.empty_cost_usd END, 0) AS DECIMAL(28,12))
      AS empty_rank_usd,
    i.seconds AS configured_seconds
  FROM grouped g
  LEFT JOIN conf.poll_intervals i
    ON i.name = CASE g.scope WHEN 'job' THEN lower(g.poll_name) WHEN 'heartbeat' THEN lower(g.agent_id) END
)
SELECT
  v.window_id, v.scope, v.host, v.agent_id, v.scope_job_id AS job_id, v.poll_name,
  v.runs, v.model_runs, v.skipped_runs, v.failed_runs, v.empty_runs,
  CAST(v.empty_runs AS DOUBLE) / nullif(CAST(v.runs AS DOUBLE), 0) AS empty_share,
  v.work_runs,
  CAST(v.work_runs AS DOUBLE) / nullif(CAST(v.runs AS DOUBLE), 0) AS work_per_run,
  v.tickets,
  CAST(v.tickets AS DOUBLE) / nullif(CAST(v.runs AS DOUBLE), 0) AS tickets_per_run,
  CAST(v.total_tokens AS BIGINT) AS total_tokens,
  CAST(coalesce(v.empty_tokens, 0) AS BIGINT) AS empty_tokens,
  CAST(v.empty_output_tokens AS DOUBLE) / nullif(CAST(v.empty_model_runs AS DOUBLE), 0) AS empty_output_per_run,
  v.long_empty_runs,
  CAST(v.cost_usd AS DECIMAL(28,12)) AS cost_usd,
  CAST(coalesce(v.empty_cost_usd, 0) AS DECIMAL(28,12)) AS empty_cost_usd,
  CAST(v.empty_list_usd AS DECIMAL(28,12)) AS empty_list_usd,
  v.empty_rank_usd,
  v.interval_seconds_p50,
  v.same_minute_runs,
  CAST(v.empty_rank_usd AS DOUBLE) / 2 AS saving_double_usd,
  v.configured_seconds,
  CASE
    WHEN v.configured_seconds IS NULL OR v.interval_seconds_p50 IS NULL THEN CAST(NULL AS DOUBLE)
    WHEN v.configured_seconds <= v.interval_seconds_p50 THEN CAST(0 AS DOUBLE)
    ELSE CAST(v.empty_rank_usd AS DOUBLE) * (1 - v.interval_seconds_p50 / nullif(v.configured_seconds, 0))
  END AS saving_configured_usd
FROM valued v
