-- How much would be counted twice: lines that forks, checkpoints, archives or a second machine hold again? (all time)
WITH lines AS (
  SELECT host, agent_id, false AS is_counted, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, estimate_usd
  FROM raw.openclaw_lines
  WHERE kind = 'assistant'
  UNION ALL
  SELECT host, agent_id, true, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, estimate_usd
  FROM core.transcript_lines
  WHERE kind = 'assistant'
), sums AS (
  SELECT
    host, agent_id, is_counted, count(*) AS answers, coalesce(sum(estimate_usd), 0) AS estimate_usd,
    sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) + coalesce(output_tokens, 0))
      AS tokens
  FROM lines
  GROUP BY ALL
)
SELECT
  r.host || '/' || r.agent_id AS agent, r.answers AS answers_read, coalesce(c.answers, 0) AS answers_counted,
  r.answers - coalesce(c.answers, 0) AS copies, r.tokens - coalesce(c.tokens, 0) AS tokens_of_copies,
  round(r.estimate_usd - coalesce(c.estimate_usd, 0), 4) AS estimate_of_copies
FROM sums r
LEFT JOIN sums c ON c.host = r.host AND c.agent_id = r.agent_id AND c.is_counted
WHERE NOT r.is_counted
ORDER BY copies DESC, agent
