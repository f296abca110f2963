-- OpenClaw lines and LiteLLM rows with the same response id and the same tokens: candidates for a pair.
-- Ids alone are not enough: self-hosted servers count them anew after a restart, and each proxy has its own.
-- Grain: one row per OpenClaw line and LiteLLM request_id that agree.
-- Columns:
--   host  machine of the line
--   agent_id  agent of the line
--   session_no  session of the line
--   line_no  line
--   request_id  LiteLLM row
--   key_hash  virtual key of the row
--   line_at  start of the call by OpenClaw's clock (UTC)
--   request_at  start of the call by the gateway's clock (UTC)
--   lines  how many lines the row agrees with: more than one when an id was used again
-- Counting lines by id beforehand finds the few repeated ones; a window over all pairs would sort them for that.
WITH repeated AS (
  SELECT
    l.response_id, l.output_tokens, l.input_tokens + l.cache_read_tokens + l.cache_write_tokens AS prompt_tokens,
    count(*) AS lines
  FROM core.transcript_lines l
  WHERE l.kind = 'assistant' AND l.response_id IS NOT NULL
  GROUP BY l.response_id, l.output_tokens, l.input_tokens + l.cache_read_tokens + l.cache_write_tokens
  HAVING count(*) > 1
)
SELECT
  l.host, l.agent_id, l.session_no, l.line_no, g.request_id, g.key_hash,
  l.started_at AS line_at,
  g.started_at AS request_at,
  coalesce(r.lines, CAST(1 AS BIGINT)) AS lines
FROM core.transcript_lines l
JOIN core.gateway_calls g
  ON g.request_id = l.response_id
  AND g.prompt_tokens = l.input_tokens + l.cache_read_tokens + l.cache_write_tokens
  AND g.output_tokens = l.output_tokens
LEFT JOIN repeated r
  ON r.response_id = g.request_id AND r.prompt_tokens = g.prompt_tokens AND r.output_tokens = g.output_tokens
WHERE l.kind = 'assistant' AND g.status = 'ok'
