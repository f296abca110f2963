-- What did sessions cost that were reset, deleted or archived since? They stay counted. (all time, by where they were read)
SELECT
  CASE t.origin
    WHEN 'reset_archive' THEN 'reset'
    WHEN 'deleted_archive' THEN 'deleted'
    WHEN 'sqlite_archive' THEN 'archived'
    WHEN 'trajectory' THEN 'transcript gone'
    ELSE 'in place'
  END AS state,
  t.origin, count(*) AS sessions, sum(s.calls) AS calls, sum(s.total_tokens) AS total_tokens,
  round(sum(s.cost_usd), 4) AS cost_usd, round(sum(s.list_usd), 4) AS list_usd,
  min(s.started_at) AS first_at, max(s.ended_at) AS last_at
FROM core.sessions s
JOIN raw.openclaw_transcripts t USING (host, agent_id, session_id)
GROUP BY t.origin
ORDER BY state, t.origin
