-- Rules that cron jobs break, with how bad it is and how to fix it. Three of them are the discipline of scheduled messages:
-- name where an answer goes, keep quiet hours, look at new and changed jobs once.
-- Delivery that is off is never a finding, nor is a webhook: no log tells whether it arrived.
-- Grain: one row per (window_id, host, job_id, rule); a job that is in order has none.
-- Columns:
--   window_id  window
--   host  machine of the agent
--   job_id  cron job
--   agent_id  agent it runs for
--   name  name of the job; NULL when only its runs are left
--   rule  wrong_target, delivered_in_quiet_hours, silently_undelivered, delivery_failed, schedule_problem, run_failed,
--         quiet_hours_conflict, implicit_delivery, duplicate_job, overdue, never_run, changed_job or disabled_job
--   rank  1 is the worst
--   severity  incident (1), high (2), medium (3), low (4) or review (5)
--   runs  runs that broke the rule in the window, or that will within 7 days; NULL when the rule is about the job itself
--   meaning  what the finding says
--   fix  what to do about it
WITH broken AS (
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'wrong_target' AS rule, a.wrong_target_runs AS runs
  FROM core.cron_audit a
  WHERE a.wrong_target_runs > 0
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'delivered_in_quiet_hours' AS rule, a.quiet_hours_runs AS runs
  FROM core.cron_audit a
  WHERE a.quiet_hours_runs > 0
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'silently_undelivered' AS rule, a.silently_undelivered_runs AS runs
  FROM core.cron_audit a
  WHERE a.silently_undelivered_runs > 0
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'delivery_failed' AS rule, a.delivery_failed_runs AS runs
  FROM core.cron_audit a
  WHERE a.delivery_failed_runs > 0
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'schedule_problem' AS rule, CAST(NULL AS BIGINT) AS runs
  FROM core.cron_audit a
  WHERE a.state = 'active' AND a.schedule_problem IS NOT NULL
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'run_failed' AS rule, a.run_failed_runs AS runs
  FROM core.cron_audit a
  WHERE a.run_failed_runs > 0
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'quiet_hours_conflict' AS rule, a.planned_quiet_runs AS runs
  FROM core.cron_audit a
  WHERE a.planned_quiet_runs > 0 AND a.delivery_mode = 'announce'
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'implicit_delivery' AS rule, CAST(NULL AS BIGINT) AS runs
  FROM core.cron_audit a
  WHERE a.state = 'active' AND NOT a.is_explicit
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'duplicate_job' AS rule, CAST(NULL AS BIGINT) AS runs
  FROM core.cron_audit a
  WHERE a.is_duplicate
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'overdue' AS rule, CAST(NULL AS BIGINT) AS runs
  FROM core.cron_audit a
  WHERE a.state = 'overdue'
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'never_run' AS rule, CAST(NULL AS BIGINT) AS runs
  FROM core.cron_audit a
  WHERE a.is_never_run
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'changed_job' AS rule, CAST(NULL AS BIGINT) AS runs
  FROM core.cron_audit a
  WHERE a.is_new_or_changed
  UNION ALL
  SELECT a.window_id, a.host, a.job_id, a.agent_id, a.name, 'disabled_job' AS rule, CAST(NULL AS BIGINT) AS runs
  FROM core.cron_audit a
  WHERE a.state = 'disabled'
)
SELECT b.window_id, b.host, b.job_id, b.agent_id, b.name, b.rule, r.rank, r.severity, b.runs, r.meaning, r.fix
FROM broken b
JOIN conf.finding_rules r ON r.rule = b.rule
