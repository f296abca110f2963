-- Which agent, session and turn made each LiteLLM request, and how is that known? (last 7 days, newest first)
SELECT
  c.started_at, c.request_id, c.match_rule, c.lane AS agent, c.session_type, c.category, coalesce(c.job_name, c.job_id) AS job,
  c.session_id, c.turn_id, c.model_group_requested AS asked, c.model, c.key_alias, c.total_tokens, c.spend_usd, c.status
FROM core.calls c
JOIN core.windows w ON w.window_id = 'trailing_7d' AND c.started_at >= w.starts_at AND c.started_at < w.ends_at
WHERE c.request_id IS NOT NULL AND c.is_request
ORDER BY c.started_at DESC, c.request_id
