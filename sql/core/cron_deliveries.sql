-- What became of the answer of each cron run: where it went, whether anybody got it, whether it should have gone there.
-- The log's own status is not enough: of jobs that deliver nothing 2026.4 logs not-delivered, a job without a channel ends
-- ok, and of webhooks no version logs the truth. The delivery that the job had when it ran decides, not today's.
-- Grain: one row per (host, job_id, finished_at, run_key), as in core.cron_runs; runs of OpenClaw's own jobs are left out.
-- Columns:
--   host  machine of the agent
--   job_id  cron job
--   finished_at  end of the run (UTC)
--   run_key  tells runs of one moment apart
--   started_at  start of the run (UTC)
--   agent_id  agent
--   is_manual  started by a person
--   delivery_mode  delivery the job had then: none, announce or webhook; NULL when it had none
--   outcome  delivered, not_requested, nothing_to_deliver, silently_undelivered (no channel found, run ok), delivery_failed,
--         run_failed (no answer), not_run (skipped) or unknown (webhooks; old runs whose transcript is gone)
--   is_wrong_target  went, or may have gone, to another channel or recipient than intended
--   is_in_quiet_hours  was delivered in the quiet hours of the recipient, or of the agent when the recipient has none
--   cost_usd  cost on the configured basis (USD); NULL when no transcript of the run was seen
--   list_usd  cost at list prices (USD)
WITH states AS (
  SELECT
    j.host, j.job_id, j.delivery_mode, j.delivery_channel, j.delivery_to, j.observed_at,
    lag(j.observed_at) OVER (PARTITION BY j.host, j.job_id ORDER BY j.observed_at NULLS FIRST) AS state_before,
    lead(j.observed_at) OVER (PARTITION BY j.host, j.job_id ORDER BY j.observed_at NULLS FIRST) AS state_after
  FROM raw.openclaw_cron_jobs j
),
runs AS (
  SELECT
    r.*,
    s.delivery_mode AS mode_then,
    coalesce(s.delivery_channel, 'last') AS channel_then,
    s.delivery_to AS to_then,
    -- A failed delivery ends some runs as errors: they had an answer, and its error is none of a model's.
    r.status = 'error' AND (r.model IS NULL OR coalesce(r.error_kind, 'other') <> 'other') AS is_run_failed
  FROM core.cron_runs r
  LEFT JOIN states s
    ON s.host = r.host AND s.job_id = r.job_id
    AND (s.state_before IS NULL OR r.finished_at >= s.observed_at)
    AND (s.state_after IS NULL OR r.finished_at < s.state_after)
  WHERE NOT r.is_builtin
),
judged AS (
  SELECT
    r.*,
    CASE
      WHEN r.status = 'skipped' THEN 'not_run'
      WHEN r.is_delivered OR r.delivery_status = 'delivered' THEN 'delivered'
      WHEN r.is_run_failed THEN 'run_failed'
      WHEN coalesce(r.mode_then, 'none') = 'none' THEN 'not_requested'
      WHEN r.mode_then = 'webhook' THEN 'unknown'
      WHEN NOT r.resolved_ok THEN 'silently_undelivered'
      WHEN r.suppression_reason IS NOT NULL OR r.is_empty_poll THEN 'nothing_to_deliver'
      WHEN r.delivery_status = 'not-requested' THEN 'not_requested'
      -- Before 2026.9 an answer that only said that there was nothing to do is not in the log: the transcript must tell.
      WHEN r.status = 'ok' AND r.calls = 0 AND r.completion_status IS NULL THEN 'unknown'
      WHEN r.status = 'ok' AND r.channel_then = 'last' AND r.delivery_status = 'not-delivered' THEN 'silently_undelivered'
      WHEN r.status = 'error' OR r.delivery_status = 'not-delivered' THEN 'delivery_failed'
      ELSE 'unknown'
    END AS outcome,
    coalesce(r.resolved_to, r.intended_to, r.to_then) AS recipient
  FROM runs r
),
principals AS (
  SELECT DISTINCT q.principal FROM conf.quiet_hours q
),
intended AS (
  SELECT
    x.*,
    CASE
      WHEN j.name IS NOT NULL THEN j.channel
      WHEN a.name IS NOT NULL THEN a.channel
      WHEN x.intended_channel <> 'last' THEN lower(x.intended_channel)
    END AS wanted_channel,
    CASE
      WHEN j.name IS NOT NULL THEN j.recipient
      WHEN a.name IS NOT NULL THEN a.recipient
      WHEN x.intended_channel <> 'last' THEN x.intended_to
    END AS wanted_to,
    coalesce(p.principal, x.agent_id) AS principal
  FROM judged x
  LEFT JOIN conf.intended_delivery j ON j.name = lower(x.job_name)
  LEFT JOIN conf.intended_delivery a ON a.name = lower(x.agent_id)
  LEFT JOIN principals p ON p.principal = x.recipient
)
SELECT
  i.host, i.job_id, i.finished_at, i.run_key, i.started_at, i.agent_id, i.is_manual,
  i.mode_then AS delivery_mode,
  i.outcome,
  i.outcome IN ('delivered', 'unknown') AND coalesce(
    lower(i.resolved_channel) <> i.wanted_channel OR (i.resolved_channel IS NOT NULL AND i.resolved_to <> i.wanted_to), false
  ) AS is_wrong_target,
  i.outcome = 'delivered' AND q.principal IS NOT NULL AS is_in_quiet_hours,
  i.cost_usd, i.list_usd
FROM intended i
LEFT JOIN conf.quiet_hours q
  ON q.principal = i.principal AND i.finished_at >= q.starts_at AND i.finished_at < q.ends_at
