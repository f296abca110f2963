-- Do the totals agree: is the sum over agents, kinds of work, models and calls the one of the report? (every window)
WITH sums AS (
  SELECT window_id, 'report' AS by, calls, total_tokens, cost_usd FROM mart.weekly_summary WHERE has_data
  UNION ALL SELECT window_id, 'agent', sum(calls), sum(total_tokens), sum(cost_usd) FROM mart.cost_by_agent GROUP BY ALL
  UNION ALL SELECT window_id, 'category', sum(calls), sum(total_tokens), sum(cost_usd) FROM mart.cost_by_category GROUP BY ALL
  UNION ALL SELECT window_id, 'session type', sum(calls), sum(total_tokens), sum(cost_usd) FROM mart.cost_by_session_type GROUP BY ALL
  UNION ALL SELECT window_id, 'model', sum(calls), sum(total_tokens), sum(cost_usd) FROM mart.model_usage GROUP BY ALL
  UNION ALL
  SELECT
    w.window_id, 'call', count(*) FILTER (WHERE c.is_request), sum(c.total_tokens) FILTER (WHERE c.tokens_basis = 'reported'),
    sum(c.cost_usd)
  FROM core.calls c
  JOIN core.windows w ON c.started_at >= w.starts_at AND c.started_at < w.ends_at
  GROUP BY ALL
)
SELECT
  s.window_id, s.by AS summed_by, s.calls, s.total_tokens, s.cost_usd,
  s.calls = r.calls AND s.total_tokens = r.total_tokens AND s.cost_usd = r.cost_usd AS agrees
FROM sums s
JOIN sums r ON r.window_id = s.window_id AND r.by = 'report'
ORDER BY s.window_id DESC, s.by
