-- Cron jobs as they were last seen, also those that are gone by now.
-- Grain: one row per (host, job_id).
-- Columns:
--   host  machine of the agent
--   job_id  cron job
--   agent_id  agent it runs for; NULL means the default agent
--   name  name of the job
--   is_enabled  enabled
--   is_builtin  made by OpenClaw itself: no finding about delivery concerns it
--   schedule_kind  at, every, cron ...
--   schedule_expr  cron expression
--   schedule_tz  time zone of the expression
--   every_ms  interval in milliseconds
--   at_time  time of a single run (UTC)
--   session_target  main, isolated, current or session
--   payload_kind  systemEvent, agentTurn, command, heartbeat or script
--   payload_model  model the job asks for
--   delivery_mode  none, announce or webhook; NULL when the job has no delivery
--   delivery_channel  channel
--   delivery_to  recipient as a short hash; NULL when none is named
--   delivery_best_effort  whether a failed delivery leaves the run ok
--   created_at  created (UTC)
--   next_run_at  next run as last seen (UTC)
--   last_run_at  last run as last seen (UTC)
--   last_status  ok, error or skipped
--   last_delivery_status  delivered, not-delivered, unknown or not-requested
--   consecutive_errors  failed runs in a row
--   first_observed_at  when the job was first seen (UTC)
--   changed_at  when its present state was first seen (UTC)
WITH numbered AS (
  SELECT
    j.*,
    min(j.observed_at) OVER (PARTITION BY j.host, j.job_id) AS first_observed_at,
    row_number() OVER (PARTITION BY j.host, j.job_id ORDER BY j.observed_at DESC NULLS LAST) AS n
  FROM raw.openclaw_cron_jobs j
)
SELECT
  n.host, n.job_id, n.agent_id, n.name, n.is_enabled, n.is_builtin, n.schedule_kind, n.schedule_expr, n.schedule_tz,
  n.every_ms, n.at_time, n.session_target, n.payload_kind, n.payload_model, n.delivery_mode, n.delivery_channel, n.delivery_to,
  n.delivery_best_effort, n.created_at, n.next_run_at, n.last_run_at, n.last_status, n.last_delivery_status,
  n.consecutive_errors, n.first_observed_at, n.observed_at AS changed_at
FROM numbered n
WHERE n.n = 1
