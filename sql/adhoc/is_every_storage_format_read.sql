-- Which storage did each agent's sessions come from, until when, and did a move to SQLite lose anything? (all time)
SELECT
  host || '/' || agent_id AS agent, origin,
  count(DISTINCT session_id) AS sessions,
  count(*) FILTER (WHERE kind = 'assistant') AS answers,
  sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) + coalesce(output_tokens, 0))
    AS tokens_with_copies,
  min(written_at) AS first_at, max(written_at) AS last_at,
  max(written_at) < max(max(written_at)) OVER (PARTITION BY host, agent_id) - INTERVAL '1' DAY AS is_over
FROM raw.openclaw_lines
GROUP BY host, agent_id, origin
ORDER BY agent, first_at, origin
