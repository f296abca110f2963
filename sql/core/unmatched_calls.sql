-- Calls that only one source has, and why, as far as the data tell. The first reason that holds is given.
-- OpenClaw's: no gateway data (LiteLLM has no row that old or that new), gateway not used (no call of this provider was ever
-- matched), failed (no request of it is known), id used again (LiteLLM has another call under this id: it dropped this one),
-- no tokens (aborted before anything came), row missing.
-- LiteLLM's: no request (attempt rows, health checks, model lists), pipeline step, worker (a method or ticket was sent along),
-- no agent data (no transcript is that old or that new), failed, another client (its user agent is no agent's), key of no
-- agent, no transcript (llm-task tool, compaction, a transcript that is gone).
-- Spans': traces alone.
-- Grain: one row per call_id of core.calls that has one source.
-- Columns:
--   call_id  call
--   source  openclaw, litellm or otel: who has it
--   reason  why the other has not
WITH lines AS (
  SELECT min(l.started_at) AS first_at, max(l.started_at) AS last_at
  FROM core.transcript_lines l
),
requests AS (
  SELECT min(g.started_at) AS first_at, max(g.started_at) AS last_at
  FROM core.gateway_calls g
),
matched_providers AS (
  SELECT DISTINCT l.host, l.provider
  FROM core.matches m
  JOIN core.transcript_lines l ON l.session_no = m.session_no AND l.line_no = m.line_no
  WHERE m.match_rule <> 'error_window'
),
-- Clients with more rows than unmatched ones: counting both takes no join of all rows.
clients AS (
  SELECT g.user_agent, count(*) AS requests
  FROM core.gateway_calls g
  GROUP BY g.user_agent
),
alone AS (
  SELECT g.user_agent, count(*) AS requests
  FROM core.calls c
  JOIN core.gateway_calls g ON g.request_id = c.request_id
  WHERE c.source = 'litellm' OR c.match_rule = 'error_window'
  GROUP BY g.user_agent
),
matched_clients AS (
  SELECT c.user_agent
  FROM clients c
  LEFT JOIN alone a ON a.user_agent = c.user_agent
  WHERE c.requests > coalesce(a.requests, 0)
),
owned AS (
  SELECT DISTINCT o.key_hash FROM core.key_owners o
),
openclaw AS (
  SELECT
    c.call_id,
    CASE
      WHEN r.first_at IS NULL OR c.started_at < r.first_at - INTERVAL '1' HOUR
        OR c.started_at > r.last_at + INTERVAL '1' HOUR THEN 'no gateway data'
      WHEN p.provider IS NULL THEN 'gateway not used'
      WHEN c.status = 'error' THEN 'failed'
      WHEN g.request_id IS NOT NULL THEN 'id used again'
      WHEN c.total_tokens = 0 THEN 'no tokens'
      ELSE 'row missing'
    END AS reason
  FROM core.calls c
  CROSS JOIN requests r
  LEFT JOIN core.transcript_lines l
    ON l.agent_id = c.agent_id AND l.session_id = c.session_id AND l.line_id = c.line_id
  LEFT JOIN matched_providers p ON p.host = l.host AND p.provider = l.provider
  LEFT JOIN core.gateway_calls g ON g.request_id = l.response_id
  WHERE c.source = 'openclaw'
),
litellm AS (
  SELECT
    c.call_id,
    CASE
      WHEN NOT c.is_request THEN 'no request'
      WHEN c.session_type = 'llm_task' THEN 'pipeline step'
      WHEN c.session_type = 'worker' THEN 'worker'
      WHEN l.first_at IS NULL OR c.started_at < l.first_at - INTERVAL '1' HOUR
        OR c.started_at > l.last_at + INTERVAL '1' HOUR THEN 'no agent data'
      WHEN c.status = 'error' THEN 'failed'
      WHEN u.user_agent IS NULL THEN 'another client'
      WHEN o.key_hash IS NULL THEN 'key of no agent'
      ELSE 'no transcript'
    END AS reason
  FROM core.calls c
  CROSS JOIN lines l
  JOIN core.gateway_calls g ON g.request_id = c.request_id
  LEFT JOIN matched_clients u ON u.user_agent = g.user_agent
  LEFT JOIN owned o ON o.key_hash = c.key_hash
  WHERE c.source = 'litellm'
)
SELECT w.call_id, 'openclaw' AS source, w.reason FROM openclaw w
UNION ALL
SELECT t.call_id, 'litellm' AS source, t.reason FROM litellm t
UNION ALL
SELECT c.call_id, 'otel' AS source, 'traces alone' AS reason FROM core.calls c WHERE c.source = 'otel'
