-- Which polls burn tokens to find nothing, and what would another interval save? (last 7 days, dearest first)
SELECT
  host || '/' || agent_id AS agent,
  poll_name AS poll,
  runs,
  model_runs,
  empty_runs,
  round(100 * empty_share, 1) AS empty_percent,
  work_runs,
  tickets,
  round(interval_seconds_p50 / 60, 1) AS every_minutes,
  empty_tokens,
  round(empty_output_per_run) AS output_per_empty_run,
  long_empty_runs,
  round(empty_rank_usd, 4) AS empty_usd,
  round(saving_double_usd, 4) AS saving_at_twice_the_interval,
  round(configured_seconds / 60, 1) AS configured_minutes,
  round(saving_configured_usd, 4) AS saving_at_configured,
  same_minute_runs
FROM mart.poll_efficiency
WHERE window_id = 'trailing_7d' AND scope <> 'agent'
ORDER BY empty_rank_usd DESC, empty_runs DESC, agent, poll;
