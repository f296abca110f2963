-- Finished cron runs, with what they used. Run logs know no cost: it comes from the transcript of the run's session.
-- Grain: one row per (host, job_id, finished_at, run_key).
-- Columns:
--   host  machine of the agent
--   job_id  cron job
--   job_name  name of the job as last seen
--   finished_at  end of the run (UTC)
--   run_key  tells runs of one moment apart
--   agent_id  agent
--   started_at  start of the run (UTC)
--   session_id  session of the run; NULL for events in a main session: their cost is in core.turns
--   run_id  run id
--   is_manual  started by a person
--   is_builtin  run of a job that OpenClaw made itself
--   status  ok, error or skipped
--   completion_status  succeeded or failed, delivery included (2026.9+)
--   error_kind  what went wrong
--   model  model of the run; NULL on older logs when it failed
--   delivery_mode  delivery of the job: none, announce or webhook
--   is_delivered  delivered as logged
--   delivery_status  delivered, not-delivered, unknown or not-requested as logged
--   suppression_reason  silent or empty: why there was nothing to deliver (2026.9+)
--   intended_channel  channel it should go to
--   intended_to  recipient it should go to, as a short hash
--   resolved_ok  whether a channel was found
--   resolved_channel  channel it went to
--   resolved_to  recipient it went to, as a short hash
--   is_empty_poll  the answer only says that there was nothing to do
--   calls  model calls of the run
--   total_tokens  reported tokens of the run
--   cost_usd  cost on the configured basis (USD); NULL when no transcript of the run was seen
--   list_usd  cost at list prices (USD)
WITH used AS (
  SELECT
    r.host, r.job_id, r.finished_at, r.run_key,
    count(*) FILTER (WHERE c.is_request) AS calls,
    CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS total_tokens,
    CAST(sum(c.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd,
    bool_or(t.is_empty_poll) AS is_empty_poll
  FROM raw.openclaw_cron_runs r
  JOIN core.calls c
    ON c.session_id = r.session_id
    -- Runs in a lasting session share it: only calls during the run are the run's.
    AND c.started_at >= r.started_at - INTERVAL '5' SECOND AND c.started_at <= r.finished_at + INTERVAL '5' SECOND
  LEFT JOIN core.turns t ON t.turn_id = c.turn_id
  GROUP BY r.host, r.job_id, r.finished_at, r.run_key
)
SELECT
  r.host, r.job_id, j.name AS job_name, r.finished_at, r.run_key,
  coalesce(r.agent_id, j.agent_id) AS agent_id,
  r.started_at, r.session_id, r.run_id,
  coalesce(r.run_id LIKE 'manual:%', false) AS is_manual,
  coalesce(j.is_builtin, false) AS is_builtin,
  r.status, r.completion_status, r.error_kind, r.model, j.delivery_mode, r.is_delivered, r.delivery_status, r.suppression_reason,
  r.intended_channel, r.intended_to,
  r.resolved_ok, r.resolved_channel, r.resolved_to,
  coalesce(u.is_empty_poll, false) OR r.poll_phrase IS NOT NULL AS is_empty_poll,
  coalesce(u.calls, 0) AS calls,
  coalesce(u.total_tokens, 0) AS total_tokens,
  u.cost_usd,
  u.list_usd
FROM raw.openclaw_cron_runs r
LEFT JOIN core.cron_jobs j ON j.host = r.host AND j.job_id = r.job_id
LEFT JOIN used u
  ON u.host = r.host AND u.job_id = r.job_id AND u.finished_at = r.finished_at AND u.run_key = r.run_key
