-- Pairs of an OpenClaw line and a LiteLLM row that one equal id does not tell: core.matches says by which rules.
-- Grain: one row per LiteLLM request_id that has a line and is in no pair of core.id_pairs that is alone.
-- Columns:
--   session_no  session of the line, as in core.transcript_lines
--   line_no  line
--   request_id  LiteLLM row
--   match_rule  response_id (the nearest of several lines), tokens_time or error_window
WITH reused AS (
  SELECT
    p.session_no, p.line_no, p.request_id,
    least(p.line_at + coalesce(c.offset_seconds, 0) * INTERVAL '1' SECOND, p.request_at) AS earlier,
    greatest(p.line_at + coalesce(c.offset_seconds, 0) * INTERVAL '1' SECOND, p.request_at) AS later
  FROM core.id_pairs p
  LEFT JOIN core.clocks c ON c.host = p.host AND c.day = CAST(date_trunc('day', p.line_at) AS TIMESTAMP)
  WHERE p.lines > 1
),
nearest AS (
  SELECT
    r.session_no, r.line_no, r.request_id,
    row_number() OVER (
      PARTITION BY r.request_id
      ORDER BY
        -- whole seconds apart
        extract(day FROM date_trunc('day', r.later) - date_trunc('day', r.earlier)) * 86400
        + (hour(r.later) - hour(r.earlier)) * 3600
        + (minute(r.later) - minute(r.earlier)) * 60
        + (second(r.later) - second(r.earlier)) NULLS LAST,
        r.session_no NULLS LAST, r.line_no NULLS LAST
    ) AS n
  FROM reused r
),
chosen AS (
  SELECT n.session_no, n.line_no, n.request_id
  FROM nearest n
  WHERE n.n = 1
),
owned AS (
  SELECT DISTINCT o.key_hash FROM core.key_owners o
),
-- Lines that no id has joined, in the gateway's time.
open_lines AS (
  SELECT
    l.agent_id, l.session_no, l.line_no, l.model, l.response_id, l.output_tokens,
    l.input_tokens + l.cache_read_tokens + l.cache_write_tokens AS prompt_tokens,
    l.stop_reason = 'error' AS is_error,
    coalesce(c.slack_seconds, 0) AS slack_seconds,
    l.started_at + coalesce(c.offset_seconds, 0) * INTERVAL '1' SECOND AS started_at,
    l.written_at + coalesce(c.offset_seconds, 0) * INTERVAL '1' SECOND AS written_at
  FROM core.transcript_lines l
  LEFT JOIN core.clocks c ON c.host = l.host AND c.day = CAST(date_trunc('day', l.started_at) AS TIMESTAMP)
  WHERE l.kind = 'assistant'
    AND NOT EXISTS (
      SELECT 1 FROM core.id_pairs p WHERE p.lines = 1 AND p.session_no = l.session_no AND p.line_no = l.line_no
    )
    AND NOT EXISTS (SELECT 1 FROM chosen x WHERE x.session_no = l.session_no AND x.line_no = l.line_no)
),
open_requests AS (
  SELECT
    g.request_id, g.status, g.session_type, g.is_request, g.key_hash, g.model_group_requested, g.prompt_tokens,
    g.output_tokens, g.started_at, g.ended_at,
    -- The gateway logs its own id, an encoded one or one of its cache instead of what the client was told.
    g.request_id = g.litellm_call_id OR g.request_id LIKE 'resp!_%' ESCAPE '!' OR g.request_id LIKE '%!_cache!_hit%' ESCAPE '!'
      AS has_own_id,
    o.key_hash IS NOT NULL AS is_owned
  FROM core.gateway_calls g
  LEFT JOIN owned o ON o.key_hash = g.key_hash
  WHERE NOT EXISTS (SELECT 1 FROM core.id_pairs p WHERE p.lines = 1 AND p.request_id = g.request_id)
    AND NOT EXISTS (SELECT 1 FROM chosen x WHERE x.request_id = g.request_id)
),
-- A minute and its neighbours: equality on it keeps equal calls of other hours apart before times are compared.
minutes AS (
  SELECT CAST(-1 AS BIGINT) AS shift UNION ALL SELECT CAST(0 AS BIGINT) UNION ALL SELECT CAST(1 AS BIGINT)
),
ends AS (
  SELECT
    l.agent_id, l.session_no, l.line_no, l.model, l.response_id, l.prompt_tokens, l.output_tokens,
    l.started_at, l.written_at,
    CAST(date_trunc('minute', l.written_at) AS TIMESTAMP) + m.shift * INTERVAL '1' MINUTE AS end_minute
  FROM open_lines l
  CROSS JOIN minutes m
  WHERE NOT l.is_error AND l.prompt_tokens + l.output_tokens > 0
),
alike AS (
  SELECT
    l.session_no, l.line_no, g.request_id,
    count(*) OVER (PARTITION BY g.request_id) AS lines,
    count(*) OVER (PARTITION BY l.session_no, l.line_no) AS requests
  FROM ends l
  JOIN open_requests g
    ON g.model_group_requested = l.model
    AND g.prompt_tokens = l.prompt_tokens
    AND g.output_tokens = l.output_tokens
    AND CAST(date_trunc('minute', g.ended_at) AS TIMESTAMP) = l.end_minute
  LEFT JOIN core.key_owners k ON k.key_hash = g.key_hash AND k.agent_id = l.agent_id
  WHERE g.status = 'ok' AND g.is_request AND g.session_type <> 'llm_task'
    AND (l.response_id IS NULL OR g.has_own_id)
    AND (k.agent_id IS NOT NULL OR NOT g.is_owned)
    AND g.ended_at >= l.written_at - INTERVAL '5' SECOND AND g.ended_at <= l.written_at + INTERVAL '5' SECOND
    AND g.started_at >= l.started_at - INTERVAL '5' SECOND
),
-- Failing calls with the time in which their requests began.
failures AS (
  SELECT
    l.agent_id, l.session_no, l.line_no, l.model,
    l.started_at - l.slack_seconds * INTERVAL '1' SECOND AS from_at,
    l.written_at + l.slack_seconds * INTERVAL '1' SECOND AS to_at
  FROM open_lines l
  WHERE l.is_error AND coalesce(l.output_tokens, 0) = 0
),
-- The hours a failing call lies in, as the minutes above: without them each failure would be held against all of history. The
-- few that took an hour or longer are.
hours AS (
  SELECT CAST(0 AS BIGINT) AS shift UNION ALL SELECT CAST(1 AS BIGINT)
),
failure_hours AS (
  SELECT
    f.agent_id, f.session_no, f.line_no, f.model, f.from_at, f.to_at,
    CAST(date_trunc('hour', f.from_at) AS TIMESTAMP) + h.shift * INTERVAL '1' HOUR AS hour_at
  FROM failures f
  CROSS JOIN hours h
  WHERE f.to_at < f.from_at + INTERVAL '1' HOUR
),
failed_requests AS (
  SELECT
    g.request_id, g.key_hash, g.is_owned, g.model_group_requested, g.started_at,
    CAST(date_trunc('hour', g.started_at) AS TIMESTAMP) AS hour_at
  FROM open_requests g
  WHERE g.status = 'error' AND g.session_type = 'api'
),
under_way AS (
  SELECT f.agent_id, f.session_no, f.line_no, g.request_id, g.key_hash, g.is_owned
  FROM failed_requests g
  JOIN failure_hours f
    ON f.model = g.model_group_requested AND f.hour_at = g.hour_at
    AND g.started_at >= f.from_at AND g.started_at <= f.to_at
  UNION ALL
  SELECT f.agent_id, f.session_no, f.line_no, g.request_id, g.key_hash, g.is_owned
  FROM failed_requests g
  JOIN failures f
    ON f.model = g.model_group_requested
    AND g.started_at >= f.from_at AND g.started_at <= f.to_at
  WHERE f.to_at >= f.from_at + INTERVAL '1' HOUR
),
same_moment AS (
  SELECT u.session_no, u.line_no, u.request_id, count(*) OVER (PARTITION BY u.request_id) AS candidates
  FROM under_way u
  LEFT JOIN core.key_owners k ON k.key_hash = u.key_hash AND k.agent_id = u.agent_id
  WHERE k.agent_id IS NOT NULL OR NOT u.is_owned
)
SELECT x.session_no, x.line_no, x.request_id, 'response_id' AS match_rule
FROM chosen x
UNION ALL
SELECT a.session_no, a.line_no, a.request_id, 'tokens_time' AS match_rule
FROM alike a
WHERE a.lines = 1 AND a.requests = 1
UNION ALL
SELECT m.session_no, m.line_no, m.request_id, 'error_window' AS match_rule
FROM same_moment m
WHERE m.candidates = 1
