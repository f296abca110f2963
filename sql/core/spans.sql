-- Spans, with what else is known of their model call: which spans are about the same one, and whether another source has it.
-- A call belongs to the best source that has it: LiteLLM's spend logs, then OpenClaw's transcripts, then spans. A span finds it
-- by LiteLLM's call id, or by the response id within a day; a run by its session. Spans of one call have the same call id, or the
-- same response id and tokens. A span that names no call cannot be told from what others recorded: it fills a gap only on days of
-- which no better witness knows any call (others' calls, then spans that name their call, then single calls, then runs).
-- Grain: one row per span (trace_id, span_id).
-- Columns:
--   trace_id  trace
--   span_id  span
--   span_key  the same for all spans of one call
--   kind  call, run (the sum of several calls) or other (kept for its ticket)
--   state  recorded: another source has the call; gap: none has, so that it counts in core.calls; waiting: of the last day, and
--         newer than what another source was asked for; indistinct: it names no call, and others know calls of that day; repeated:
--         another span of the same call counts; no usage: it states no tokens; no call
--   request_id  LiteLLM's key of the call, where it logged it
--   litellm_call_id  LiteLLM's call id, also where only another span of the call names it
--   agent_id  agent
--   session_id  session
--   line_id  OpenClaw's transcript line, where exactly one has the response id
--   session_type  what a gap is: llm_task, worker, api, or unknown (an agent's)
--   started_at  start (UTC)
--   ended_at  end (UTC)
--   provider  provider
--   model  model that served, else the one asked for
--   model_group_requested  model group asked for, else the model
--   key_hash  sha256 of the virtual key
--   key_alias  alias of the virtual key
--   input_tokens  input tokens, cached ones excluded
--   cache_read_tokens  tokens read from the prompt cache
--   cache_write_tokens  tokens written to the prompt cache
--   output_tokens  output tokens, reasoning included
--   reasoning_tokens  reasoning tokens
--   cost_usd  cost that a span of the call states (USD)
--   status  ok or error
--   error_kind  what went wrong
--   request_ticket_key  ticket that the client sent along, by any span of the call
--   span_ticket_key  ticket that an attribute of the span names
--   resource_ticket_key  ticket that an attribute of the program names
--   category  category the client sent along
--   method  method the client sent along
--   pipeline  pipeline the client sent along
--   step  pipeline step the client sent along
WITH typed AS (
  SELECT
    s.*,
    coalesce(s.prompt_tokens, 0) + coalesce(s.output_tokens, 0) AS used_tokens,
    CASE
      WHEN s.kind = 'call' AND coalesce(s.litellm_call_id, s.response_id) IS NOT NULL THEN CAST(2 AS BIGINT)
      WHEN s.kind = 'call' THEN CAST(3 AS BIGINT)
      ELSE CAST(4 AS BIGINT)
    END AS witness,
    max(s.litellm_call_id) OVER (PARTITION BY s.response_id, s.prompt_tokens, s.output_tokens) AS call_of_response
  FROM raw.otel_spans s
),
named AS (
  SELECT
    t.*,
    CASE
      WHEN t.kind <> 'call' THEN CAST(NULL AS STRING)
      WHEN t.litellm_call_id IS NULL AND t.response_id IS NOT NULL THEN t.call_of_response
      ELSE t.litellm_call_id
    END AS call_id
  FROM typed t
),
keyed AS (
  SELECT
    n.*,
    CASE
      WHEN n.call_id IS NOT NULL THEN 'call/' || n.call_id
      WHEN n.kind = 'call' AND n.response_id IS NOT NULL
        THEN 'response/' || n.response_id || '/' || CAST(coalesce(n.prompt_tokens, 0) AS STRING)
          || '/' || CAST(coalesce(n.output_tokens, 0) AS STRING)
      ELSE 'span/' || n.trace_id || '/' || n.span_id
    END AS span_key
  FROM named n
),
requests AS (
  SELECT n.call_id, min(g.request_id) AS request_id
  FROM named n
  JOIN core.gateway_calls g ON g.litellm_call_id = n.call_id
  GROUP BY n.call_id
),
lines AS (
  SELECT
    k.trace_id, k.span_id,
    count(*) AS lines,
    min(l.agent_id) AS agent_id,
    min(l.session_id) AS session_id,
    min(l.line_id) AS line_id
  FROM keyed k
  JOIN core.transcript_lines l
    ON l.response_id = k.response_id
    AND l.written_at >= k.started_at - INTERVAL '1' DAY AND l.written_at <= k.ended_at + INTERVAL '1' DAY
  WHERE k.kind = 'call'
  GROUP BY k.trace_id, k.span_id
),
sessions AS (
  SELECT t.session_id, min(l.agent_id) AS agent_id
  FROM typed t
  JOIN core.transcript_lines l ON l.session_id = t.session_id
  GROUP BY t.session_id
),
newest AS (
  SELECT max(g.ended_at) AS request_at, CAST(NULL AS TIMESTAMP) AS line_at FROM core.gateway_calls g
  UNION ALL
  SELECT CAST(NULL AS TIMESTAMP) AS request_at, max(l.written_at) AS line_at FROM core.transcript_lines l
),
clock AS (
  SELECT r.as_of, max(n.request_at) AS request_at, max(n.line_at) AS line_at
  FROM newest n
  CROSS JOIN conf.run r
  GROUP BY r.as_of
),
witnesses AS (
  SELECT CAST(date_trunc('day', l.written_at) AS TIMESTAMP) AS day, CAST(1 AS BIGINT) AS witness
  FROM core.transcript_lines l
  WHERE l.kind = 'assistant'
  UNION ALL
  SELECT CAST(date_trunc('day', g.started_at) AS TIMESTAMP) AS day, CAST(1 AS BIGINT) AS witness
  FROM core.gateway_calls g
  WHERE g.is_request
  UNION ALL
  SELECT CAST(date_trunc('day', t.started_at) AS TIMESTAMP) AS day, t.witness
  FROM typed t
  WHERE t.used_tokens > 0
),
span_days AS (
  SELECT CAST(date_trunc('day', t.started_at) AS TIMESTAMP) AS day FROM typed t
  UNION
  SELECT CAST(date_trunc('day', t.ended_at) AS TIMESTAMP) AS day FROM typed t
),
days AS (
  SELECT d.day, min(w.witness) AS witness
  FROM span_days d
  JOIN witnesses w ON w.day = d.day
  GROUP BY d.day
),
found AS (
  SELECT
    k.*,
    coalesce(g.request_id, q.request_id) AS request_id,
    CASE WHEN l.lines = 1 THEN l.line_id END AS line_id,
    CASE WHEN l.lines = 1 THEN l.agent_id ELSE coalesce(x.agent_id, k.agent_id) END AS found_agent_id,
    CASE WHEN l.lines = 1 THEN l.session_id ELSE k.session_id END AS found_session_id,
    CASE WHEN coalesce(g.request_id, q.request_id, l.line_id, x.session_id) IS NOT NULL THEN CAST(1 AS BIGINT)
      ELSE CAST(0 AS BIGINT) END AS is_found,
    row_number() OVER (
      PARTITION BY k.span_key
      ORDER BY
        CASE WHEN k.used_tokens > 0 THEN 0 ELSE 1 END NULLS LAST, CASE WHEN k.served_model IS NOT NULL THEN 0 ELSE 1 END NULLS LAST,
        k.ended_at DESC NULLS LAST, k.trace_id NULLS LAST, k.span_id NULLS LAST
    ) AS copy,
    coalesce(a.witness, CAST(9 AS BIGINT)) AS first_day_witness,
    coalesce(b.witness, CAST(9 AS BIGINT)) AS last_day_witness
  FROM keyed k
  LEFT JOIN core.gateway_calls g
    ON g.request_id = k.response_id AND k.kind = 'call'
    AND g.started_at >= k.started_at - INTERVAL '1' DAY AND g.started_at <= k.ended_at + INTERVAL '1' DAY
  LEFT JOIN requests q ON q.call_id = k.call_id
  LEFT JOIN lines l ON l.trace_id = k.trace_id AND l.span_id = k.span_id
  LEFT JOIN sessions x ON x.session_id = k.session_id
  LEFT JOIN days a ON a.day = CAST(date_trunc('day', k.started_at) AS TIMESTAMP)
  LEFT JOIN days b ON b.day = CAST(date_trunc('day', k.ended_at) AS TIMESTAMP)
),
whole AS (
  SELECT
    f.*,
    max(f.is_found) OVER (PARTITION BY f.span_key) AS is_recorded,
    max(f.cost_usd) OVER (PARTITION BY f.span_key) AS call_cost_usd,
    min(f.request_ticket_key) OVER (PARTITION BY f.span_key) AS call_ticket_key
  FROM found f
)
SELECT
  h.trace_id, h.span_id, h.span_key, h.kind,
  CASE
    WHEN h.kind = 'other' THEN 'no call'
    WHEN h.used_tokens = 0 THEN 'no usage'
    WHEN h.copy > 1 THEN 'repeated'
    WHEN h.is_recorded = 1 THEN 'recorded'
    WHEN h.ended_at > c.as_of - INTERVAL '1' DAY AND (h.ended_at > c.request_at OR h.ended_at > c.line_at) THEN 'waiting'
    WHEN h.witness > 2 AND least(h.first_day_witness, h.last_day_witness) < h.witness THEN 'indistinct'
    ELSE 'gap'
  END AS state,
  h.request_id,
  h.call_id AS litellm_call_id,
  h.found_agent_id AS agent_id,
  h.found_session_id AS session_id,
  h.line_id,
  CASE
    WHEN h.witness > 2 THEN 'unknown'
    WHEN h.pipeline IS NOT NULL OR h.step IS NOT NULL OR h.category IN ('llm-task', 'llm_task') THEN 'llm_task'
    WHEN h.method IS NOT NULL OR coalesce(h.call_ticket_key, h.span_ticket_key, h.resource_ticket_key) IS NOT NULL THEN 'worker'
    ELSE 'api'
  END AS session_type,
  h.started_at, h.ended_at, h.provider,
  coalesce(h.served_model, h.request_model) AS model,
  coalesce(h.model_group, h.request_model) AS model_group_requested,
  h.key_hash, h.key_alias,
  coalesce(h.prompt_tokens, 0) - coalesce(h.cache_read_tokens, 0) - coalesce(h.cache_write_tokens, 0) AS input_tokens,
  coalesce(h.cache_read_tokens, 0) AS cache_read_tokens,
  coalesce(h.cache_write_tokens, 0) AS cache_write_tokens,
  coalesce(h.output_tokens, 0) AS output_tokens,
  coalesce(h.reasoning_tokens, 0) AS reasoning_tokens,
  CAST(h.call_cost_usd AS DECIMAL(18,12)) AS cost_usd,
  h.status, h.error_kind,
  h.call_ticket_key AS request_ticket_key,
  h.span_ticket_key, h.resource_ticket_key, h.category, h.method, h.pipeline, h.step
FROM whole h
CROSS JOIN clock c
