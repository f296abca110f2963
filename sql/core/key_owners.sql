-- Which agents a virtual key belongs to, as far as it is known: its pairs by response id tell, or at least three calls of
-- core.lone_pairs at the same moment by both clocks; a key that has none is its agent's when its alias names one.
-- A call without an id is joined only to rows of its own agent's keys or of keys that nobody is known to own.
-- Grain: one row per (key_hash, agent_id).
-- Columns:
--   key_hash  sha256 of the virtual key
--   agent_id  agent that uses it
WITH agents AS (
  SELECT DISTINCT l.agent_id FROM core.transcript_lines l
),
seen AS (
  SELECT DISTINCT p.key_hash, p.agent_id
  FROM core.id_pairs p
  WHERE p.key_hash IS NOT NULL AND p.lines = 1
  UNION
  SELECT l.key_hash, l.agent_id
  FROM core.lone_pairs l
  JOIN core.clocks c ON c.host = l.host AND c.day = CAST(date_trunc('day', l.line_at) AS TIMESTAMP)
  WHERE l.key_hash IS NOT NULL
    AND l.request_at >= l.line_at + (c.offset_seconds - 5) * INTERVAL '1' SECOND
    AND l.request_at <= l.line_at + (c.offset_seconds + 5) * INTERVAL '1' SECOND
  GROUP BY l.key_hash, l.agent_id
  HAVING count(*) >= 3
),
named AS (
  SELECT DISTINCT g.key_hash, a.agent_id
  FROM core.gateway_calls g
  LEFT JOIN conf.lanes n ON n.key_alias = g.key_alias
  JOIN agents a ON a.agent_id = coalesce(n.lane, g.key_alias)
  WHERE g.key_hash IS NOT NULL
)
SELECT s.key_hash, s.agent_id
FROM seen s
UNION ALL
SELECT n.key_hash, n.agent_id
FROM named n
WHERE NOT EXISTS (SELECT 1 FROM seen s WHERE s.key_hash = n.key_hash)
