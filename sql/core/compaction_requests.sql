-- Requests that wrote a compaction's summary: that call stands in no transcript, only its result does.
-- It is the one unmatched request by a key of the agent that ended when the compaction was written, from five seconds before
-- to one after, and that no other compaction could have made.
-- Grain: one row per LiteLLM request_id.
-- Columns:
--   request_id  LiteLLM row
WITH key_agents AS (
  SELECT p.key_hash, p.agent_id
  FROM core.id_pairs p
  WHERE p.lines = 1
  UNION
  SELECT p.key_hash, p.agent_id
  FROM core.id_pairs p
  JOIN core.matches m ON m.request_id = p.request_id AND m.session_no = p.session_no AND m.line_no = p.line_no
  WHERE p.lines > 1 AND m.match_rule = 'response_id'
),
-- Equality on the minute before times are compared, as in core.matches.
minutes AS (
  SELECT CAST(-1 AS BIGINT) AS shift UNION ALL SELECT CAST(0 AS BIGINT) UNION ALL SELECT CAST(1 AS BIGINT)
),
written AS (
  SELECT
    l.session_no, l.line_no, l.written_at, k.key_hash,
    CAST(date_trunc('minute', l.written_at) AS TIMESTAMP) + m.shift * INTERVAL '1' MINUTE AS minute_at
  FROM core.transcript_lines l
  JOIN key_agents k ON k.agent_id = l.agent_id
  CROSS JOIN minutes m
  WHERE l.kind = 'compaction'
),
candidates AS (
  SELECT
    g.request_id,
    count(*) OVER (PARTITION BY g.request_id) AS compactions,
    count(*) OVER (PARTITION BY w.session_no, w.line_no) AS requests
  FROM written w
  JOIN core.gateway_calls g
    ON g.key_hash = w.key_hash
    AND CAST(date_trunc('minute', g.ended_at) AS TIMESTAMP) = w.minute_at
    AND g.ended_at >= w.written_at - INTERVAL '5' SECOND AND g.ended_at <= w.written_at + INTERVAL '1' SECOND
  LEFT JOIN core.matches m ON m.request_id = g.request_id
  WHERE g.status = 'ok' AND g.session_type = 'api' AND m.request_id IS NULL
)
SELECT c.request_id
FROM candidates c
WHERE c.compactions = 1 AND c.requests = 1
