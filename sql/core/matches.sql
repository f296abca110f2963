-- Pairs of an OpenClaw line and the LiteLLM row of the same call.
-- response_id: id and tokens are equal. Ids are reused by restarted proxies and clocks step, so time only chooses among equals;
-- a line and a request are in one such pair at most.
-- error_window: a failed request that began while exactly one failing OpenClaw call of the same model group was under way, by
-- a key that is not known to be another agent's. Retries of one call share its one error line: many requests to one line.
-- Grain: one row per LiteLLM request_id that has a line.
-- Columns:
--   agent_id  agent of the line
--   session_id  session of the line
--   line_id  line
--   request_id  LiteLLM row
--   match_rule  response_id or error_window
WITH candidates AS (
  SELECT
    l.agent_id, l.session_id, l.line_id, g.request_id, g.key_hash,
    least(l.started_at, g.started_at) AS earlier,
    greatest(l.started_at, g.started_at) AS later
  FROM core.transcript_lines l
  JOIN core.gateway_calls g
    ON g.request_id = l.response_id
    AND g.prompt_tokens = l.input_tokens + l.cache_read_tokens + l.cache_write_tokens
    AND g.output_tokens = l.output_tokens
  WHERE l.kind = 'assistant' AND g.status = 'ok'
),
same_id AS (
  SELECT
    c.agent_id, c.session_id, c.line_id, c.request_id, c.key_hash,
    row_number() OVER (
      PARTITION BY c.request_id
      ORDER BY
        -- whole seconds apart
        extract(day FROM date_trunc('day', c.later) - date_trunc('day', c.earlier)) * 86400
        + (hour(c.later) - hour(c.earlier)) * 3600
        + (minute(c.later) - minute(c.earlier)) * 60
        + (second(c.later) - second(c.earlier)) NULLS LAST,
        c.agent_id NULLS LAST, c.session_id NULLS LAST, c.line_id NULLS LAST
    ) AS n
  FROM candidates c
),
key_agents AS (
  SELECT DISTINCT s.key_hash, s.agent_id FROM same_id s WHERE s.n = 1 AND s.key_hash IS NOT NULL
),
failed_lines AS (
  SELECT l.agent_id, l.session_id, l.line_id, l.model, l.started_at, l.written_at
  FROM core.transcript_lines l
  WHERE l.kind = 'assistant' AND l.stop_reason = 'error' AND coalesce(l.output_tokens, 0) = 0
),
failed_requests AS (
  SELECT
    g.request_id, g.started_at, g.model_group_requested, g.key_hash,
    EXISTS (SELECT 1 FROM key_agents k WHERE k.key_hash = g.key_hash) AS is_known_key
  FROM core.gateway_calls g
  WHERE g.status = 'error' AND g.session_type = 'api'
),
same_moment AS (
  SELECT
    l.agent_id, l.session_id, l.line_id, g.request_id,
    count(*) OVER (PARTITION BY g.request_id) AS candidates
  FROM failed_requests g
  JOIN failed_lines l
    ON l.model = g.model_group_requested
    AND g.started_at >= l.started_at AND g.started_at <= l.written_at
  LEFT JOIN key_agents k ON k.key_hash = g.key_hash AND k.agent_id = l.agent_id
  WHERE k.agent_id IS NOT NULL OR NOT g.is_known_key
)
SELECT s.agent_id, s.session_id, s.line_id, s.request_id, 'response_id' AS match_rule
FROM same_id s
WHERE s.n = 1
UNION ALL
SELECT m.agent_id, m.session_id, m.line_id, m.request_id, 'error_window' AS match_rule
FROM same_moment m
WHERE m.candidates = 1
