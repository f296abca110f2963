-- What does each cron job cost a week, and how did that change? (last four weeks, dearest first)
WITH weeks AS (
  SELECT local_week FROM core.calls WHERE local_week IS NOT NULL GROUP BY local_week ORDER BY local_week DESC LIMIT 4
), usage AS (
  SELECT
    lane AS agent, coalesce(job_name, job_id) AS job, local_week AS week,
    count(*) FILTER (WHERE is_request) AS calls, count(DISTINCT turn_id) AS turns,
    coalesce(sum(total_tokens) FILTER (WHERE tokens_basis = 'reported'), 0) AS total_tokens,
    round(coalesce(sum(cost_usd), 0), 4) AS cost_usd, round(sum(list_usd), 4) AS list_usd
  FROM core.calls
  JOIN weeks USING (local_week)
  WHERE session_type IN ('cron', 'system_event') AND coalesce(job_name, job_id) IS NOT NULL
  GROUP BY ALL
)
SELECT
  *,
  cost_usd - lag(cost_usd) OVER (PARTITION BY agent, job ORDER BY week) AS cost_change_usd,
  list_usd - lag(list_usd) OVER (PARTITION BY agent, job ORDER BY week) AS list_change_usd
FROM usage
ORDER BY sum(coalesce(list_usd, cost_usd)) OVER (PARTITION BY agent, job) DESC, agent, job, week DESC
