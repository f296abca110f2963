-- Which runs and calls does only one witness know: silent runs without a call, requests without a transcript? (last 7 days)
SELECT
  'cron runs and heartbeats' AS what, poll_kind AS source,
  CASE WHEN is_skipped THEN 'put off' WHEN calls = 0 THEN 'no model call known' WHEN is_empty THEN 'silent: found nothing' ELSE 'answered' END
    AS reason,
  count(*) AS number, sum(total_tokens) AS total_tokens, round(sum(cost_usd), 4) AS cost_usd, round(sum(list_usd), 4) AS list_usd,
  max(p.started_at) AS last_at
FROM core.polls p
JOIN core.windows w ON w.window_id = 'trailing_7d' AND p.started_at >= w.starts_at AND p.started_at < w.ends_at
GROUP BY ALL
UNION ALL
SELECT 'calls', 'only ' || source, reason, calls, total_tokens, round(cost_usd, 4), round(list_usd, 4), last_at
FROM mart.unmatched_calls
WHERE window_id = 'trailing_7d'
ORDER BY what DESC, source, number DESC, reason
