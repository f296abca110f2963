-- Gateway first: for each storm of errors that an agent saw, what the gateway says was wrong.
-- A storm is three error lines of an agent or more, no two neighbours more than ten minutes apart. An agent's own reading of
-- an error misleads: a spent budget looks like a refused request. The gateway's reason is that of its failed requests that
-- these lines stand for, and of others of the agent's keys from the first line's call to the last line (retries leave no
-- line in some versions). Without any such row the gateway was not asked, or does not log it.
-- Grain: one row per (agent_id, storm_number).
-- Columns:
--   agent_id  agent
--   storm_number  1 for the agent's first storm
--   local_date  date of the first error line in the configured time zone
--   first_at  start of the first failed call (UTC)
--   last_at  last error line (UTC)
--   error_lines  error lines
--   sessions  sessions with one
--   models  models asked for
--   agent_error_kind  what OpenClaw took most of them for; other when it could not tell
--   gateway_failures  failed requests of the gateway
--   gateway_reason  what the gateway says of most of them; none when it has no failed request
--   gateway_reason_share  of the gateway's failed requests, 0 to 1; NULL without any
--   gateway_reasons  different reasons of the gateway
WITH lines AS (
  SELECT
    l.agent_id, l.session_id, l.line_id, l.model, l.written_at,
    coalesce(l.started_at, l.written_at) AS started_at,
    coalesce(l.error_kind, 'other') AS error_kind,
    lag(l.written_at) OVER (
      PARTITION BY l.agent_id ORDER BY l.written_at NULLS LAST, l.session_id NULLS LAST, l.line_id NULLS LAST
    ) AS before_at
  FROM core.transcript_lines l
  WHERE l.stop_reason = 'error'
),
numbered AS (
  SELECT
    l.*,
    sum(CASE WHEN l.before_at >= l.written_at - INTERVAL '10' MINUTE THEN 0 ELSE 1 END) OVER (
      PARTITION BY l.agent_id ORDER BY l.written_at NULLS LAST, l.session_id NULLS LAST, l.line_id NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS island
  FROM lines l
),
counted AS (
  SELECT
    n.*,
    count(*) OVER (PARTITION BY n.agent_id, n.island, n.error_kind) AS kind_hits
  FROM numbered n
),
tops AS (
  SELECT
    c.*,
    max(c.kind_hits) OVER (PARTITION BY c.agent_id, c.island) AS most_kind_hits
  FROM counted c
),
storms AS (
  SELECT
    t.agent_id, t.island,
    row_number() OVER (PARTITION BY t.agent_id ORDER BY t.island NULLS LAST) AS storm_number,
    min(t.started_at) AS first_at,
    max(t.written_at) AS last_at,
    count(*) AS error_lines,
    count(DISTINCT t.session_id) AS sessions,
    count(DISTINCT t.model) AS models,
    min(CASE WHEN t.kind_hits = t.most_kind_hits THEN t.error_kind END) AS agent_error_kind
  FROM tops t
  GROUP BY t.agent_id, t.island
  HAVING count(*) >= 3
),
failures AS (
  SELECT c.call_id, c.agent_id, c.session_id, c.line_id, c.key_hash, c.started_at, coalesce(c.error_kind, 'other') AS error_kind
  FROM core.calls c
  WHERE c.source IN ('both', 'litellm') AND c.status = 'error' AND c.is_request
),
joined AS (
  SELECT s.agent_id, s.island, f.call_id, f.error_kind
  FROM storms s
  JOIN numbered n ON n.agent_id = s.agent_id AND n.island = s.island
  JOIN failures f ON f.agent_id = n.agent_id AND f.session_id = n.session_id AND f.line_id = n.line_id
  UNION
  SELECT s.agent_id, s.island, f.call_id, f.error_kind
  FROM storms s
  JOIN core.key_owners o ON o.agent_id = s.agent_id
  JOIN failures f ON f.key_hash = o.key_hash AND f.started_at >= s.first_at AND f.started_at <= s.last_at
  WHERE f.line_id IS NULL
),
kinds AS (
  SELECT
    j.agent_id, j.island, j.error_kind, count(*) AS failures,
    row_number() OVER (
      PARTITION BY j.agent_id, j.island ORDER BY count(*) DESC NULLS LAST, j.error_kind NULLS LAST
    ) AS n
  FROM joined j
  GROUP BY j.agent_id, j.island, j.error_kind
),
reasons AS (
  SELECT
    k.agent_id, k.island,
    CAST(sum(k.failures) AS BIGINT) AS failures,
    min(CASE WHEN k.n = 1 THEN k.error_kind END) AS reason,
    max(CASE WHEN k.n = 1 THEN k.failures END) AS reason_failures,
    count(*) AS reasons
  FROM kinds k
  GROUP BY k.agent_id, k.island
)
SELECT
  s.agent_id, s.storm_number,
  CASE WHEN s.first_at >= h.midnight_at THEN h.next_date ELSE h.local_date END AS local_date,
  s.first_at, s.last_at, s.error_lines, s.sessions, s.models, s.agent_error_kind,
  coalesce(r.failures, 0) AS gateway_failures,
  coalesce(r.reason, 'none') AS gateway_reason,
  CAST(r.reason_failures AS DOUBLE) / nullif(CAST(r.failures AS DOUBLE), 0) AS gateway_reason_share,
  coalesce(r.reasons, 0) AS gateway_reasons
FROM storms s
JOIN conf.hours h ON h.starts_at = CAST(date_trunc('hour', s.first_at) AS TIMESTAMP)
LEFT JOIN reasons r ON r.agent_id = s.agent_id AND r.island = s.island
