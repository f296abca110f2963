-- Which cron job speaks to the wrong channel, at night or to nobody, and what to do about it? (last 7 days, worst first)
SELECT
  f.severity,
  f.host || '/' || f.agent_id AS agent,
  coalesce(f.name, f.job_id) AS job,
  f.meaning,
  f.runs,
  a.delivery_mode AS delivery,
  a.delivery_channel AS channel,
  a.undelivered_cost_usd,
  a.first_quiet_at AS next_in_quiet_hours,
  f.fix
FROM mart.cron_findings f
JOIN mart.cron_delivery_audit a USING (window_id, host, job_id)
WHERE f.window_id = 'trailing_7d'
ORDER BY f.rank, f.runs DESC NULLS LAST, agent, job, f.rule;
