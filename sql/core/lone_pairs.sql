-- Calls without a response id whose model group and token counts occur exactly once on either side in all of history.
-- One alone may be chance; many that agree on a difference of clocks, or on whose key it is, are evidence.
-- Grain: one row per OpenClaw line that has such a counterpart.
-- Columns:
--   host  machine of the line
--   agent_id  agent of the line
--   line_id  line
--   request_id  LiteLLM row
--   key_hash  virtual key of the row
--   line_at  start of the call by OpenClaw's clock (UTC)
--   request_at  start of the call by the gateway's clock (UTC)
WITH lines AS (
  SELECT
    l.model, l.output_tokens,
    l.input_tokens + l.cache_read_tokens + l.cache_write_tokens AS prompt_tokens,
    min(l.host) AS host, min(l.agent_id) AS agent_id, min(l.line_id) AS line_id, min(l.started_at) AS line_at
  FROM core.transcript_lines l
  WHERE l.kind = 'assistant' AND l.response_id IS NULL AND l.output_tokens > 0 AND l.started_at IS NOT NULL
  GROUP BY l.model, l.output_tokens, l.input_tokens + l.cache_read_tokens + l.cache_write_tokens
  HAVING count(*) = 1
),
requests AS (
  SELECT
    g.model_group_requested, g.prompt_tokens, g.output_tokens,
    min(g.request_id) AS request_id, min(g.key_hash) AS key_hash, min(g.started_at) AS request_at
  FROM core.gateway_calls g
  WHERE g.status = 'ok' AND g.is_request AND g.started_at IS NOT NULL
    -- all requests like one of these lines, and no others
    AND EXISTS (
      SELECT 1 FROM lines l
      WHERE l.model = g.model_group_requested AND l.prompt_tokens = g.prompt_tokens AND l.output_tokens = g.output_tokens
    )
  GROUP BY g.model_group_requested, g.prompt_tokens, g.output_tokens
  HAVING count(*) = 1
)
SELECT l.host, l.agent_id, l.line_id, r.request_id, r.key_hash, l.line_at, r.request_at
FROM lines l
JOIN requests r
  ON r.model_group_requested = l.model AND r.prompt_tokens = l.prompt_tokens AND r.output_tokens = l.output_tokens
