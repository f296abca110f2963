-- Which ticket each model call worked for, and how that is known. Only tickets that Jira knows count, by any key they ever had.
-- Best evidence first: the ticket that the client sent along; a session named exactly like it; the one ticket of the same trace,
-- then of the same session (not of sessions that people talk in: they go on for weeks; nor of traces over several sessions: one
-- of OpenClaw may cover all that an agent does); a key in the session's label, the job's name, the turn's message or the session's
-- first message, if the turn lies in the ticket's life. Several tickets by the same evidence are never split: the call is ambiguous.
-- Grain: one row per call of core.calls (call_id).
-- Columns:
--   call_id  call
--   attribution  attributed, ambiguous or unattributed
--   issue_id  Jira's id of the ticket; NULL unless attributed
--   ticket_key  its present key; NULL unless attributed
--   evidence  request, session name, trace, session or text; none when unattributed
--   candidates  tickets that this evidence names
WITH keys AS (
  SELECT k.issue_key, t.issue_id, t.ticket_key, t.created_at, t.done_at
  FROM raw.jira_keys k
  JOIN core.tickets t ON t.issue_id = k.issue_id
),
places AS (
  SELECT 1 AS n UNION ALL SELECT 2 AS n UNION ALL SELECT 3 AS n UNION ALL SELECT 4 AS n UNION ALL SELECT 5 AS n
  UNION ALL SELECT 6 AS n UNION ALL SELECT 7 AS n UNION ALL SELECT 8 AS n
),
sessions AS (
  SELECT
    s.agent_id, s.session_id, s.session_key, s.label,
    s.key_type IN ('main', 'dm', 'channel', 'heartbeat', 'unknown') AS is_mixed
  FROM core.session_keys s
),
names AS (
  SELECT s.agent_id, s.session_id, lower(trim(s.label)) AS name
  FROM sessions s
  UNION ALL
  SELECT s.agent_id, s.session_id, lower(split_part(s.session_key, ':', p.n)) AS name
  FROM sessions s
  CROSS JOIN places p
),
named AS (
  SELECT n.agent_id, n.session_id, count(DISTINCT k.issue_id) AS candidates, min(k.issue_id) AS issue_id
  FROM names n
  JOIN keys k ON lower(k.issue_key) = n.name
  GROUP BY n.agent_id, n.session_id
),
direct AS (
  SELECT
    c.call_id, c.agent_id, c.session_id, c.turn_id, r.trace_id,
    k.issue_id AS request_issue,
    n.candidates AS named,
    CASE WHEN n.candidates = 1 THEN n.issue_id END AS named_issue
  FROM core.calls c
  LEFT JOIN raw.litellm_spend_logs r ON r.request_id = c.request_id
  LEFT JOIN keys k ON lower(k.issue_key) = lower(trim(c.ticket_key))
  LEFT JOIN named n ON n.agent_id = c.agent_id AND n.session_id = c.session_id
),
known AS (
  SELECT d.trace_id, d.agent_id, d.session_id, coalesce(d.request_issue, d.named_issue) AS issue_id, s.is_mixed
  FROM direct d
  LEFT JOIN sessions s ON s.agent_id = d.agent_id AND s.session_id = d.session_id
),
traces AS (
  SELECT x.trace_id, min(x.issue_id) AS issue_id
  FROM known x
  GROUP BY x.trace_id
  HAVING count(DISTINCT x.issue_id) = 1 AND count(DISTINCT x.session_id) <= 1 AND NOT bool_or(coalesce(x.is_mixed, false))
),
inherited AS (
  SELECT x.agent_id, x.session_id, min(x.issue_id) AS issue_id
  FROM known x
  WHERE NOT x.is_mixed
  GROUP BY x.agent_id, x.session_id
  HAVING count(DISTINCT x.issue_id) = 1
),
turns AS (
  SELECT
    t.turn_id, t.started_at, t.ticket_keys, t.job_name, s.label, s.is_mixed,
    first_value(t.ticket_keys) OVER (
      PARTITION BY t.agent_id, t.session_id ORDER BY t.started_at NULLS FIRST, t.turn_id NULLS FIRST
    ) AS first_keys
  FROM core.turns t
  JOIN sessions s ON s.agent_id = t.agent_id AND s.session_id = t.session_id
),
texts AS (
  SELECT t.turn_id, t.started_at, t.ticket_keys AS words
  FROM turns t
  UNION ALL
  SELECT t.turn_id, t.started_at, t.first_keys AS words
  FROM turns t
  WHERE NOT t.is_mixed
  UNION ALL
  SELECT
    t.turn_id, t.started_at,
    replace(replace(replace(replace(replace(replace(replace(replace(
      t.label, ':', ' '), '/', ' '), '.', ' '), ',', ' '), '(', ' '), ')', ' '), '[', ' '), ']', ' ') AS words
  FROM turns t
  UNION ALL
  SELECT
    t.turn_id, t.started_at,
    replace(replace(replace(replace(replace(replace(replace(replace(
      t.job_name, ':', ' '), '/', ' '), '.', ' '), ',', ' '), '(', ' '), ')', ' '), '[', ' '), ']', ' ') AS words
  FROM turns t
),
told AS (
  SELECT x.turn_id, count(DISTINCT k.issue_id) AS candidates, min(k.issue_id) AS issue_id
  FROM texts x
  CROSS JOIN places p
  JOIN keys k
    ON k.issue_key = split_part(x.words, ' ', p.n)
    AND x.started_at >= k.created_at
    AND (k.done_at IS NULL OR x.started_at <= k.done_at + INTERVAL '1' DAY)
  GROUP BY x.turn_id
),
decided AS (
  SELECT
    d.call_id,
    CASE
      WHEN d.request_issue IS NOT NULL THEN 'request'
      WHEN d.named IS NOT NULL THEN 'session name'
      WHEN r.issue_id IS NOT NULL THEN 'trace'
      WHEN i.issue_id IS NOT NULL THEN 'session'
      WHEN w.issue_id IS NOT NULL THEN 'text'
      ELSE 'none'
    END AS evidence,
    CASE
      WHEN d.request_issue IS NOT NULL THEN CAST(1 AS BIGINT)
      WHEN d.named IS NOT NULL THEN d.named
      WHEN coalesce(r.issue_id, i.issue_id) IS NOT NULL THEN CAST(1 AS BIGINT)
      ELSE coalesce(w.candidates, CAST(0 AS BIGINT))
    END AS candidates,
    CASE
      WHEN d.request_issue IS NOT NULL THEN d.request_issue
      WHEN d.named IS NOT NULL THEN d.named_issue
      ELSE coalesce(r.issue_id, i.issue_id, w.issue_id)
    END AS issue_id
  FROM direct d
  LEFT JOIN traces r ON r.trace_id = d.trace_id
  LEFT JOIN inherited i ON i.agent_id = d.agent_id AND i.session_id = d.session_id
  LEFT JOIN told w ON w.turn_id = d.turn_id
)
SELECT
  d.call_id,
  CASE WHEN d.candidates = 0 THEN 'unattributed' WHEN d.candidates = 1 THEN 'attributed' ELSE 'ambiguous' END AS attribution,
  t.issue_id,
  t.ticket_key,
  d.evidence,
  d.candidates
FROM decided d
LEFT JOIN core.tickets t ON t.issue_id = d.issue_id AND d.candidates = 1
