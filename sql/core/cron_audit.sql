-- What is known of each cron job in each window: how it is set up now, what its runs did then, what it will do next.
-- The setup and the plan are those of now in every window; runs and changes are those of the window.
-- Grain: one row per (window_id, host, job_id) of jobs that people made and that were there before the window ended, also
--         jobs of which only runs are left.
-- Columns:
--   window_id  window
--   host  machine of the agent
--   job_id  cron job
--   agent_id  agent it runs for; main when neither job nor run names one
--   name  name of the job; NULL when only its runs are left
--   state  active, disabled, over (a single run in the past), overdue (due for over a week while its gateway ran other jobs:
--         removed, or stuck) or removed (only its runs are left)
--   schedule_kind  at, every, cron ...
--   schedule_expr  cron expression
--   schedule_tz  time zone of the expression
--   every_ms  interval in milliseconds
--   schedule_problem  why its schedule cannot be worked out; NULL when it can
--   delivery_mode  none, announce or webhook; NULL when it has no delivery
--   delivery_channel  channel; last or NULL means wherever the agent spoke last
--   delivery_to  recipient as a short hash
--   is_explicit  delivery is off, or channel and recipient are named
--   is_new_or_changed  seen or changed for the first time in the window; of jobs that were there when their host was first read,
--         created in it
--   is_duplicate  an older enabled job of the agent has the same name and schedule
--   is_never_run  enabled and due, but it has never run
--   consecutive_errors  failed runs in a row, as last seen
--   last_run_at  last run known (UTC)
--   planned_runs  runs in the 7 days from now
--   planned_quiet_runs  of these, in the quiet hours of the recipient, or of the agent when the recipient has none
--   first_quiet_at  the first of these (UTC)
--   runs  finished runs in the window, skipped ones left out
--   manual_runs  of these, started by a person
--   delivered_runs  of these, delivered
--   silently_undelivered_runs  of these, ended ok although no channel was found
--   delivery_failed_runs  of these, answered but not delivered
--   run_failed_runs  of these, failed before there was an answer
--   unknown_delivery_runs  of these, with a delivery that no log tells of (webhooks; old runs whose transcript is gone)
--   wrong_target_runs  of these, gone to another channel or recipient than intended
--   quiet_hours_runs  of these, delivered in quiet hours
--   cost_usd  cost of the runs on the configured basis (USD)
--   list_usd  cost of the runs at list prices (USD); NULL when nothing is priced
--   undelivered_cost_usd  of the cost, what silently undelivered and failed deliveries cost (USD)
--   undelivered_list_usd  the same at list prices (USD); NULL when nothing is priced
WITH last_runs AS (
  SELECT d.host, d.job_id, max(d.finished_at) AS last_run_at, max(d.agent_id) AS agent_id
  FROM core.cron_deliveries d
  GROUP BY d.host, d.job_id
),
gateways AS (
  SELECT j.host, max(j.last_run_at) AS last_run_at, min(j.first_observed_at) AS first_observed_at
  FROM core.cron_jobs j
  GROUP BY j.host
),
jobs AS (
  SELECT
    coalesce(j.host, l.host) AS host,
    coalesce(j.job_id, l.job_id) AS job_id,
    coalesce(j.agent_id, l.agent_id, 'main') AS agent_id,
    j.name,
    CASE
      WHEN j.job_id IS NULL THEN 'removed'
      WHEN NOT j.is_enabled THEN 'disabled'
      WHEN j.at_time < r.as_of THEN 'over'
      WHEN j.next_run_at < g.last_run_at - INTERVAL '7' DAY THEN 'overdue'
      ELSE 'active'
    END AS state,
    j.schedule_kind, j.schedule_expr, j.schedule_tz, j.every_ms, j.at_time, p.problem AS schedule_problem,
    j.delivery_mode, j.delivery_channel, j.delivery_to,
    CASE
      WHEN j.delivery_mode = 'announce'
        THEN coalesce(j.delivery_channel, 'last') <> 'last' AND j.delivery_to IS NOT NULL
      WHEN j.delivery_mode = 'webhook' THEN j.delivery_to IS NOT NULL
      -- A message to the agent without any delivery object is delivered by default; an event has no delivery.
      WHEN j.delivery_mode IS NULL THEN coalesce(j.payload_kind, '') <> 'agentTurn'
      ELSE true
    END AS is_explicit,
    -- What was there when its host was first read is as old as it says; what came later is new then.
    CASE
      WHEN j.changed_at > j.first_observed_at OR j.first_observed_at > g.first_observed_at THEN j.changed_at
      ELSE coalesce(j.created_at, j.first_observed_at)
    END AS changed_at,
    j.first_observed_at, j.created_at, j.next_run_at, j.consecutive_errors,
    coalesce(greatest(j.last_run_at, l.last_run_at), j.last_run_at, l.last_run_at) AS last_run_at,
    r.as_of
  FROM core.cron_jobs j
  FULL OUTER JOIN last_runs l ON l.host = j.host AND l.job_id = j.job_id
  LEFT JOIN gateways g ON g.host = j.host
  LEFT JOIN conf.cron_problems p ON p.host = j.host AND p.job_id = j.job_id
  CROSS JOIN conf.run r
  WHERE NOT coalesce(j.is_builtin, false)
),
numbered AS (
  SELECT
    j.*,
    row_number() OVER (
      PARTITION BY
        j.host, j.agent_id, lower(j.name), j.state, j.schedule_kind, j.schedule_expr, j.schedule_tz, j.every_ms, j.at_time
      ORDER BY j.created_at NULLS LAST, j.job_id NULLS LAST
    ) AS n
  FROM jobs j
),
principals AS (
  SELECT DISTINCT q.principal FROM conf.quiet_hours q
),
plans AS (
  SELECT
    c.host, c.job_id,
    count(*) AS planned_runs,
    count(q.principal) AS planned_quiet_runs,
    min(CASE WHEN q.principal IS NOT NULL THEN c.planned_at END) AS first_quiet_at
  FROM conf.cron_plan c
  JOIN jobs j ON j.host = c.host AND j.job_id = c.job_id
  LEFT JOIN principals p ON p.principal = j.delivery_to
  LEFT JOIN conf.quiet_hours q
    ON q.principal = coalesce(p.principal, j.agent_id) AND c.planned_at >= q.starts_at AND c.planned_at < q.ends_at
  GROUP BY c.host, c.job_id
),
outcomes AS (
  SELECT
    w.window_id, d.host, d.job_id,
    count(*) AS runs,
    count(*) FILTER (WHERE d.is_manual) AS manual_runs,
    count(*) FILTER (WHERE d.outcome = 'delivered') AS delivered_runs,
    count(*) FILTER (WHERE d.outcome = 'silently_undelivered') AS silently_undelivered_runs,
    count(*) FILTER (WHERE d.outcome = 'delivery_failed') AS delivery_failed_runs,
    count(*) FILTER (WHERE d.outcome = 'run_failed') AS run_failed_runs,
    count(*) FILTER (WHERE d.outcome = 'unknown') AS unknown_delivery_runs,
    count(*) FILTER (WHERE d.is_wrong_target) AS wrong_target_runs,
    count(*) FILTER (WHERE d.is_in_quiet_hours) AS quiet_hours_runs,
    sum(d.cost_usd) AS cost_usd,
    sum(d.list_usd) AS list_usd,
    sum(d.cost_usd) FILTER (WHERE d.outcome IN ('silently_undelivered', 'delivery_failed')) AS undelivered_cost_usd,
    sum(d.list_usd) FILTER (WHERE d.outcome IN ('silently_undelivered', 'delivery_failed')) AS undelivered_list_usd
  FROM conf.windows w
  JOIN core.cron_deliveries d ON d.finished_at >= w.starts_at AND d.finished_at < w.ends_at
  WHERE d.outcome <> 'not_run'
  GROUP BY w.window_id, d.host, d.job_id
)
SELECT
  w.window_id, j.host, j.job_id, j.agent_id, j.name, j.state,
  j.schedule_kind, j.schedule_expr, j.schedule_tz, j.every_ms, j.schedule_problem,
  j.delivery_mode, j.delivery_channel, j.delivery_to, j.is_explicit,
  coalesce(j.changed_at >= w.starts_at AND j.changed_at <= w.ends_at, false) AS is_new_or_changed,
  j.state = 'active' AND j.name IS NOT NULL AND j.n > 1 AS is_duplicate,
  j.state = 'active' AND j.last_run_at IS NULL AND coalesce(j.next_run_at < j.as_of, true) AS is_never_run,
  j.consecutive_errors,
  j.last_run_at,
  CASE WHEN j.state = 'active' THEN coalesce(p.planned_runs, 0) ELSE CAST(0 AS BIGINT) END AS planned_runs,
  CASE WHEN j.state = 'active' THEN coalesce(p.planned_quiet_runs, 0) ELSE CAST(0 AS BIGINT) END AS planned_quiet_runs,
  CASE WHEN j.state = 'active' THEN p.first_quiet_at END AS first_quiet_at,
  coalesce(o.runs, 0) AS runs,
  coalesce(o.manual_runs, 0) AS manual_runs,
  coalesce(o.delivered_runs, 0) AS delivered_runs,
  coalesce(o.silently_undelivered_runs, 0) AS silently_undelivered_runs,
  coalesce(o.delivery_failed_runs, 0) AS delivery_failed_runs,
  coalesce(o.run_failed_runs, 0) AS run_failed_runs,
  coalesce(o.unknown_delivery_runs, 0) AS unknown_delivery_runs,
  coalesce(o.wrong_target_runs, 0) AS wrong_target_runs,
  coalesce(o.quiet_hours_runs, 0) AS quiet_hours_runs,
  CAST(coalesce(o.cost_usd, 0) AS DECIMAL(28,12)) AS cost_usd,
  CAST(o.list_usd AS DECIMAL(28,12)) AS list_usd,
  CAST(coalesce(o.undelivered_cost_usd, 0) AS DECIMAL(28,12)) AS undelivered_cost_usd,
  CAST(o.undelivered_list_usd AS DECIMAL(28,12)) AS undelivered_list_usd
FROM conf.windows w
JOIN numbered j ON coalesce(j.created_at, j.first_observed_at, w.starts_at) <= w.ends_at
LEFT JOIN plans p ON p.host = j.host AND p.job_id = j.job_id
LEFT JOIN outcomes o ON o.window_id = w.window_id AND o.host = j.host AND o.job_id = j.job_id
WHERE j.state <> 'removed' OR o.runs IS NOT NULL
