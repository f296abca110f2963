-- Which ticket each model call worked for, and how that is known. Only tickets that Jira knows count, by any key they ever had.
-- Best evidence first: the ticket that the client sent along; one that an attribute of the call's span names, or of the program
-- that made it; a session named exactly like it; the one ticket of the same trace, then of the same session (not of sessions that
-- people talk in: they go on for weeks; nor of traces over several sessions: one of OpenClaw may cover all that an agent does); a
-- key in the session's label, the job's name, the turn's message or the session's first message, if the turn lies in the ticket's
-- life; last, the one ticket of the session that spawned the sub-agent. Several tickets by the same evidence are never split: the
-- call is ambiguous.
-- Grain: one row per call of core.calls (call_id).
-- Columns:
--   call_id  call
--   attribution  attributed, ambiguous or unattributed
--   issue_id  Jira's id of the ticket; NULL unless attributed
--   ticket_key  its present key; NULL unless attributed
--   evidence  request, span attribute, resource attribute, session name, trace, session, text or spawning session; none when
--         unattributed
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
    s.agent_id, s.session_id, s.session_key, s.label, s.spawned_by,
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
-- The spans of each call: LiteLLM's call id, its key of the call, the transcript line, or the span is all there is.
call_spans AS (
  SELECT c.call_id, s.trace_id, s.span_ticket_key, s.resource_ticket_key
  FROM core.calls c
  JOIN core.spans s ON s.litellm_call_id = c.litellm_call_id
  UNION
  SELECT c.call_id, s.trace_id, s.span_ticket_key, s.resource_ticket_key
  FROM core.calls c
  JOIN core.spans s ON s.request_id = c.request_id
  UNION
  SELECT c.call_id, s.trace_id, s.span_ticket_key, s.resource_ticket_key
  FROM core.calls c
  JOIN core.spans s ON s.agent_id = c.agent_id AND s.session_id = c.session_id AND s.line_id = c.line_id
  UNION
  SELECT c.call_id, s.trace_id, s.span_ticket_key, s.resource_ticket_key
  FROM core.calls c
  JOIN core.spans s ON 'ot/' || s.span_key = c.call_id
),
first_hand AS (
  SELECT c.call_id, CAST(1 AS BIGINT) AS rank, k.issue_id
  FROM core.calls c
  JOIN keys k ON lower(k.issue_key) = lower(trim(c.ticket_key))
  UNION
  SELECT x.call_id, CAST(2 AS BIGINT) AS rank, k.issue_id
  FROM call_spans x
  JOIN keys k ON lower(k.issue_key) = lower(x.span_ticket_key)
  UNION
  SELECT x.call_id, CAST(3 AS BIGINT) AS rank, k.issue_id
  FROM call_spans x
  JOIN keys k ON lower(k.issue_key) = lower(x.resource_ticket_key)
),
stated AS (
  SELECT f.call_id, f.rank, count(*) AS candidates, min(f.issue_id) AS issue_id
  FROM first_hand f
  GROUP BY f.call_id, f.rank
  UNION ALL
  SELECT c.call_id, CAST(4 AS BIGINT) AS rank, n.candidates, n.issue_id
  FROM core.calls c
  JOIN named n ON n.agent_id = c.agent_id AND n.session_id = c.session_id
),
best_stated AS (
  SELECT t.call_id, t.candidates, t.issue_id, row_number() OVER (PARTITION BY t.call_id ORDER BY t.rank NULLS LAST) AS n
  FROM stated t
),
known AS (
  SELECT b.call_id, b.issue_id
  FROM best_stated b
  WHERE b.n = 1 AND b.candidates = 1
),
trace_issues AS (
  SELECT r.trace_id, k.issue_id
  FROM known k
  JOIN core.calls c ON c.call_id = k.call_id
  JOIN raw.litellm_spend_logs r ON r.request_id = c.request_id
  UNION
  SELECT x.trace_id, k.issue_id
  FROM known k
  JOIN call_spans x ON x.call_id = k.call_id
  UNION
  SELECT s.trace_id, k.issue_id
  FROM core.spans s
  JOIN keys k ON lower(k.issue_key) = lower(coalesce(s.span_ticket_key, s.resource_ticket_key))
),
-- All calls of the traces that a ticket is known of; those of other traces would be joined for nothing.
told_traces AS (
  SELECT DISTINCT x.trace_id FROM trace_issues x
),
call_traces AS (
  SELECT c.call_id, t.trace_id
  FROM told_traces t
  JOIN raw.litellm_spend_logs r ON r.trace_id = t.trace_id
  JOIN core.calls c ON c.request_id = r.request_id
  UNION ALL
  SELECT x.call_id, t.trace_id
  FROM told_traces t
  JOIN call_spans x ON x.trace_id = t.trace_id
),
narrow_traces AS (
  SELECT x.trace_id
  FROM call_traces x
  JOIN core.calls c ON c.call_id = x.call_id
  LEFT JOIN sessions s ON s.agent_id = c.agent_id AND s.session_id = c.session_id
  GROUP BY x.trace_id
  HAVING count(DISTINCT c.session_id) <= 1 AND NOT bool_or(coalesce(s.is_mixed, false))
),
traces AS (
  SELECT x.trace_id, min(x.issue_id) AS issue_id
  FROM trace_issues x
  JOIN narrow_traces n ON n.trace_id = x.trace_id
  GROUP BY x.trace_id
  HAVING count(*) = 1
),
traced AS (
  SELECT x.call_id, min(t.issue_id) AS issue_id
  FROM call_traces x
  JOIN traces t ON t.trace_id = x.trace_id
  GROUP BY x.call_id
  HAVING count(DISTINCT t.issue_id) = 1
),
session_issues AS (
  SELECT c.agent_id, c.session_id, k.issue_id
  FROM known k
  JOIN core.calls c ON c.call_id = k.call_id
  UNION
  SELECT s.agent_id, s.session_id, k.issue_id
  FROM core.spans s
  JOIN keys k ON lower(k.issue_key) = lower(coalesce(s.span_ticket_key, s.resource_ticket_key))
),
inherited AS (
  SELECT x.agent_id, x.session_id, min(x.issue_id) AS issue_id
  FROM session_issues x
  JOIN sessions s ON s.agent_id = x.agent_id AND s.session_id = x.session_id AND NOT s.is_mixed
  GROUP BY x.agent_id, x.session_id
  HAVING count(*) = 1
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
everything AS (
  SELECT t.call_id, t.rank, t.candidates, t.issue_id
  FROM stated t
  UNION ALL
  SELECT x.call_id, CAST(5 AS BIGINT) AS rank, CAST(1 AS BIGINT) AS candidates, x.issue_id
  FROM traced x
  UNION ALL
  SELECT c.call_id, CAST(6 AS BIGINT) AS rank, CAST(1 AS BIGINT) AS candidates, i.issue_id
  FROM core.calls c
  JOIN inherited i ON i.agent_id = c.agent_id AND i.session_id = c.session_id
  UNION ALL
  SELECT c.call_id, CAST(7 AS BIGINT) AS rank, w.candidates, w.issue_id
  FROM core.calls c
  JOIN told w ON w.turn_id = c.turn_id
),
ranked AS (
  SELECT
    e.call_id, e.rank, e.candidates, e.issue_id,
    row_number() OVER (PARTITION BY e.call_id ORDER BY e.rank NULLS LAST) AS n
  FROM everything e
),
best AS (
  SELECT r.call_id, r.rank, r.candidates, r.issue_id FROM ranked r WHERE r.n = 1
),
attributed AS (
  SELECT c.host, c.session_key, c.agent_id, c.session_id, b.candidates, b.issue_id
  FROM best b
  JOIN core.calls c ON c.call_id = b.call_id
),
spawners AS (
  SELECT o.host, o.session_key, min(o.issue_id) AS issue_id
  FROM attributed o
  JOIN sessions s ON s.agent_id = o.agent_id AND s.session_id = o.session_id AND NOT s.is_mixed
  GROUP BY o.host, o.session_key
  HAVING count(DISTINCT o.issue_id) = 1 AND max(o.candidates) = 1
),
-- Old versions erase a run once it is announced; the sub-agent's session row remembers who spawned it.
parents AS (
  SELECT c.host, c.session_key, s.spawned_by
  FROM sessions s
  JOIN core.calls c ON c.agent_id = s.agent_id AND c.session_id = s.session_id
  UNION
  SELECT r.host, r.child_session_key AS session_key, r.requester_session_key AS spawned_by
  FROM raw.openclaw_subagent_runs r
),
spawned AS (
  SELECT p.host, p.session_key, min(w.issue_id) AS issue_id
  FROM parents p
  JOIN spawners w ON w.host = p.host AND w.session_key = p.spawned_by
  GROUP BY p.host, p.session_key
  HAVING count(DISTINCT w.issue_id) = 1
),
decided AS (
  SELECT
    c.call_id,
    coalesce(b.rank, CASE WHEN w.issue_id IS NOT NULL THEN CAST(8 AS BIGINT) END) AS rank,
    coalesce(b.candidates, CASE WHEN w.issue_id IS NOT NULL THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) AS candidates,
    coalesce(b.issue_id, w.issue_id) AS issue_id
  FROM core.calls c
  LEFT JOIN best b ON b.call_id = c.call_id
  LEFT JOIN spawned w ON w.host = c.host AND w.session_key = c.session_key
)
SELECT
  d.call_id,
  CASE WHEN d.candidates = 0 THEN 'unattributed' WHEN d.candidates = 1 THEN 'attributed' ELSE 'ambiguous' END AS attribution,
  t.issue_id,
  t.ticket_key,
  CASE d.rank
    WHEN 1 THEN 'request'
    WHEN 2 THEN 'span attribute'
    WHEN 3 THEN 'resource attribute'
    WHEN 4 THEN 'session name'
    WHEN 5 THEN 'trace'
    WHEN 6 THEN 'session'
    WHEN 7 THEN 'text'
    WHEN 8 THEN 'spawning session'
    ELSE 'none'
  END AS evidence,
  d.candidates
FROM decided d
LEFT JOIN core.tickets t ON t.issue_id = d.issue_id AND d.candidates = 1
