-- Pairs of an OpenClaw call and the LiteLLM row of the same call.
-- Response ids are reused by restarted proxies and clocks step: id and tokens decide, time only chooses among equals.
-- Grain: one row per pair; a line and a request are in one pair at most.
-- Columns:
--   agent_id  agent of the line
--   session_id  session of the line
--   line_id  line
--   request_id  LiteLLM row
--   match_rule  response_id
WITH candidates AS (
  SELECT
    l.agent_id, l.session_id, l.line_id, g.request_id,
    abs(extract(epoch FROM l.started_at) - extract(epoch FROM g.started_at)) AS seconds_apart
  FROM core.transcript_lines l
  JOIN core.gateway_calls g
    ON g.request_id = l.response_id
    AND g.prompt_tokens = l.input_tokens + l.cache_read_tokens + l.cache_write_tokens
    AND g.output_tokens = l.output_tokens
  WHERE l.kind = 'assistant' AND g.status = 'ok'
),
ranked AS (
  SELECT
    c.*,
    row_number() OVER (
      PARTITION BY c.request_id
      ORDER BY c.seconds_apart NULLS LAST, c.agent_id NULLS LAST, c.session_id NULLS LAST, c.line_id NULLS LAST
    ) AS line_choice
  FROM candidates c
)
SELECT r.agent_id, r.session_id, r.line_id, r.request_id, 'response_id' AS match_rule
FROM ranked r
WHERE r.line_choice = 1
