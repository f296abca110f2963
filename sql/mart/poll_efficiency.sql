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
--   interval_seconds_p50  median time from one run to the next; NULL for agents and with one run
--   same_minute_runs  runs that began in a minute in which another agent polled too
--   saving_double_usd  what twice the interval would save: half of the empty runs (USD)
--   configured_seconds  interval to compare with (setting poll_intervals); NULL when none is set
--   saving_configured_usd  what that interval would save (USD); 0 when it is shorter, NULL when none is set
WITH placed AS (
  SELECT
    w.window_id, w.rank_basis, p.host, p.agent_id, p.poll_kind, p.job_id, p.poll_name, p.is_skipped, p.is_failed, p.is_empty,
    p.is_same_minute, p.calls, p.output_tokens, p.total_tokens, p.cost_usd, p.list_usd,
    CASE WHEN p.previous_at >= w.starts_at THEN CAST(
      extract(day FROM date_trunc('day', p.started_at) - date_trunc('day', p.previous_at)) * 86400
      + (hour(p.started_at) - hour(p.previous_at)) * 3600
      + (minute(p.started_at) - minute(p.previous_at)) * 60
      + (second(p.started_at) - second(p.previous_at)) AS DOUBLE) END AS interval_seconds
  FROM core.windows w
  JOIN core.polls p ON p.started_at >= w.starts_at AND p.started_at < w.ends_at
),
parts AS (
  SELECT
    p.window_id, p.rank_basis,
    CASE WHEN p.poll_kind = 'heartbeat' THEN 'heartbeat' ELSE 'job' END AS scope,
    p.host, p.agent_id, p.job_id,
    min(p.poll_name) AS poll_name,
    count(*) FILTER (WHERE NOT p.is_skipped) AS runs,
    count(*) FILTER (WHERE p.calls > 0) AS model_runs,
    count(*) FILTER (WHERE p.is_skipped) AS skipped_runs,
    count(*) FILTER (WHERE p.is_failed) AS failed_runs,
    count(*) FILTER (WHERE p.is_empty) AS empty_runs,
    count(*) FILTER (WHERE p.is_empty AND p.calls > 0) AS empty_model_runs,
    count(*) FILTER (WHERE NOT p.is_empty AND NOT p.is_failed AND NOT p.is_skipped) AS work_runs,
    sum(p.total_tokens) AS total_tokens,
    sum(p.total_tokens) FILTER (WHERE p.is_empty) AS empty_tokens,
    sum(p.output_tokens) FILTER (WHERE p.is_empty) AS empty_output_tokens,
    count(*) FILTER (WHERE p.is_empty AND p.output_tokens > h.empty_poll_output_tokens) AS long_empty_runs,
    CAST(sum(p.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(p.cost_usd) FILTER (WHERE p.is_empty) AS DECIMAL(28,12)) AS empty_cost_usd,
    CAST(sum(p.list_usd) FILTER (WHERE p.is_empty) AS DECIMAL(28,12)) AS empty_list_usd,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY p.interval_seconds) AS interval_seconds_p50,
    count(*) FILTER (WHERE p.is_same_minute) AS same_minute_runs
  FROM placed p
  CROSS JOIN conf.agent_thresholds h
  GROUP BY p.window_id, p.rank_basis, p.poll_kind, p.host, p.agent_id, p.job_id
),
scoped AS (
  SELECT p.* FROM parts p
  UNION ALL
  SELECT
    p.window_id, p.rank_basis, 'agent' AS scope, p.host, p.agent_id,
    CAST(NULL AS STRING) AS job_id,
    'all polls' AS poll_name,
    CAST(sum(p.runs) AS BIGINT) AS runs,
    CAST(sum(p.model_runs) AS BIGINT) AS model_runs,
    CAST(sum(p.skipped_runs) AS BIGINT) AS skipped_runs,
    CAST(sum(p.failed_runs) AS BIGINT) AS failed_runs,
    CAST(sum(p.empty_runs) AS BIGINT) AS empty_runs,
    CAST(sum(p.empty_model_runs) AS BIGINT) AS empty_model_runs,
    CAST(sum(p.work_runs) AS BIGINT) AS work_runs,
    sum(p.total_tokens) AS total_tokens,
    sum(p.empty_tokens) AS empty_tokens,
    sum(p.empty_output_tokens) AS empty_output_tokens,
    CAST(sum(p.long_empty_runs) AS BIGINT) AS long_empty_runs,
    CAST(sum(p.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(p.empty_cost_usd) AS DECIMAL(28,12)) AS empty_cost_usd,
    CAST(sum(p.empty_list_usd) AS DECIMAL(28,12)) AS empty_list_usd,
    CAST(NULL AS DOUBLE) AS interval_seconds_p50,
    CAST(sum(p.same_minute_runs) AS BIGINT) AS same_minute_runs
  FROM parts p
  GROUP BY p.window_id, p.rank_basis, p.host, p.agent_id
),
named AS (
  SELECT DISTINCT w.window_id, p.host, p.agent_id, p.poll_kind, p.job_id, p.ticket_key
  FROM core.windows w
  JOIN core.polls p ON p.started_at >= w.starts_at AND p.started_at < w.ends_at
  WHERE p.ticket_key IS NOT NULL
),
tickets AS (
  SELECT
    n.window_id, CASE WHEN n.poll_kind = 'heartbeat' THEN 'heartbeat' ELSE 'job' END AS scope, n.host, n.agent_id, n.job_id,
    count(*) AS tickets
  FROM named n
  GROUP BY n.window_id, n.poll_kind, n.host, n.agent_id, n.job_id
  UNION ALL
  SELECT
    n.window_id, 'agent' AS scope, n.host, n.agent_id, CAST(NULL AS STRING) AS job_id,
    count(DISTINCT n.ticket_key) AS tickets
  FROM named n
  GROUP BY n.window_id, n.host, n.agent_id
),
valued AS (
  SELECT
    g.*,
    coalesce(t.tickets, 0) AS tickets,
    CAST(coalesce(CASE WHEN g.rank_basis = 'list' THEN g.empty_list_usd ELSE g.empty_cost_usd END, 0) AS DECIMAL(28,12))
      AS empty_rank_usd,
    i.seconds AS configured_seconds
  FROM scoped g
  LEFT JOIN tickets t
    ON t.window_id = g.window_id AND t.scope = g.scope AND t.host = g.host AND t.agent_id = g.agent_id
    AND coalesce(t.job_id, '') = coalesce(g.job_id, '')
  LEFT JOIN conf.poll_intervals i
    ON i.name = CASE g.scope WHEN 'job' THEN lower(g.poll_name) WHEN 'heartbeat' THEN lower(g.agent_id) END
)
SELECT
  v.window_id, v.scope, v.host, v.agent_id, v.job_id, v.poll_name,
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
