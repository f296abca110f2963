-- Whom each cron job speaks to and whether it arrives: setup, plan of the next 7 days, runs of the window, worst finding.
-- Webhook deliveries are unknown, never failed. What is wrong and how to fix it is in mart.cron_findings.
-- Grain: one row per (window_id, host, job_id) of jobs that people made, also jobs of which only runs are left.
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
--   is_new_or_changed  first seen, or changed, in the window
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
--   findings  rules that the job breaks, those that only ask for a look left out
--   worst_rank  rank of the worst finding, 1 is an incident; NULL when there is none
--   worst_severity  incident, high, medium, low or review; NULL when there is none
WITH found AS (
  SELECT
    f.window_id, f.host, f.job_id,
    count(*) FILTER (WHERE f.severity <> 'review') AS findings,
    min(f.rank) AS worst_rank,
    min_by(f.severity, f.rank) AS worst_severity
  FROM mart.cron_findings f
  GROUP BY f.window_id, f.host, f.job_id
)
SELECT
  a.window_id, a.host, a.job_id, a.agent_id, a.name,
  a.state, a.schedule_kind, a.schedule_expr, a.schedule_tz, a.every_ms,
  a.schedule_problem, a.delivery_mode, a.delivery_channel, a.delivery_to, a.is_explicit,
  a.is_new_or_changed, a.is_duplicate, a.is_never_run, a.consecutive_errors, a.last_run_at,
  a.planned_runs, a.planned_quiet_runs, a.first_quiet_at, a.runs, a.manual_runs,
  a.delivered_runs, a.silently_undelivered_runs, a.delivery_failed_runs, a.run_failed_runs, a.unknown_delivery_runs,
  a.wrong_target_runs, a.quiet_hours_runs, a.cost_usd, a.list_usd, a.undelivered_cost_usd,
  a.undelivered_list_usd,
  coalesce(f.findings, 0) AS findings,
  f.worst_rank,
  f.worst_severity
FROM core.cron_audit a
LEFT JOIN found f ON f.window_id = a.window_id AND f.host = a.host AND f.job_id = a.job_id
