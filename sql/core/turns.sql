-- Turns: a user line and the assistant lines that answer it, with what started them.
-- Best evidence first: the trigger in the run's trajectory, the provenance OpenClaw wrote on the user line, the mark that opens
-- its text, the session key. Only sessions that people talk in hold turns of several kinds; elsewhere the key decides.
-- A session without a key takes the type that the mark of its first user line tells; one that heartbeats and wakes came to is
-- an agent's main session.
-- Grain: one row per turn_id.
-- Columns:
--   turn_id  turn: agent_id/session_id/line_id of the line that opened it
--   session_no  number of the session, as in core.transcript_lines
--   turn_no  line_no of the line that opened the turn
--   host  configured name of the machine
--   agent_id  agent
--   session_id  session
--   session_key  session key; NULL when unknown
--   started_at  first line of the turn (UTC)
--   ended_at  last line of the turn (UTC)
--   session_type  main, heartbeat, cron, subagent, webhook, system_event, channel, dm, named, acp, api,
--         maintenance or unknown
--   trigger  human or autonomous
--   evidence  what decided the type: run, provenance, mark, key, first mark, other turns or none
--   job_id  cron job
--   job_name  cron job or webhook task name
--   is_cron_wake  an event that a cron job put into a main session, also when its job is not known
--   calls  model calls in the turn, failed ones included
--   tool_calls  tools that the answers asked for
--   is_empty_poll  true when the last answer only says that there was nothing to do
--   reply_chars  length of the last answer
--   ticket_keys  ticket-shaped keys in the user line, space-separated
WITH firsts AS (
  SELECT
    l.session_no, l.mark, l.mark_id, l.mark_name,
    row_number() OVER (PARTITION BY l.session_no ORDER BY l.line_no NULLS FIRST) AS n
  FROM core.transcript_lines l
  WHERE l.kind = 'user'
),
woken AS (
  SELECT DISTINCT l.session_no
  FROM core.transcript_lines l
  WHERE l.mark IN ('heartbeat_poll', 'cron_wake', 'session_event')
),
opened AS (
  SELECT
    l.session_no, l.turn_no,
    min(l.host) AS host,
    min(coalesce(l.started_at, l.written_at)) AS started_at,
    max(l.written_at) AS ended_at,
    min(CASE WHEN l.kind = 'user' THEN l.mark END) AS mark,
    min(CASE WHEN l.kind = 'user' THEN l.mark_id END) AS mark_id,
    min(CASE WHEN l.kind = 'user' THEN l.mark_name END) AS mark_name,
    min(CASE WHEN l.kind = 'user' THEN l.provenance_tool END) AS provenance_tool,
    min(CASE WHEN l.kind = 'assistant' THEN l.run_id END) AS run_id,
    min(CASE WHEN l.kind = 'assistant' THEN l.run_trigger END) AS run_trigger,
    min(CASE WHEN l.kind = 'assistant' THEN l.run_message_provider END) AS run_message_provider,
    min(CASE WHEN l.kind = 'user' THEN l.ticket_keys END) AS ticket_keys,
    count(*) FILTER (WHERE l.kind = 'assistant') AS calls,
    CAST(coalesce(sum(l.tool_calls), 0) AS BIGINT) AS tool_calls,
    max(CASE WHEN l.kind = 'assistant' AND l.stop_reason IS DISTINCT FROM 'error' THEN l.line_no END) AS answer_no
  FROM core.transcript_lines l
  WHERE l.kind IN ('user', 'assistant')
  GROUP BY l.session_no, l.turn_no
),
known AS (
  SELECT
    o.*,
    k.agent_id || '/' || k.session_id || '/' || l.line_id AS turn_id,
    k.agent_id,
    k.session_id,
    k.session_key,
    k.key_job_id,
    k.key_type,
    k.key_type NOT IN (
      'heartbeat', 'cron', 'subagent', 'webhook', 'system_event', 'acp', 'api', 'maintenance'
    ) AS is_mixed,
    f.mark AS first_mark,
    f.mark_id AS first_mark_id,
    f.mark_name AS first_mark_name
  FROM opened o
  JOIN core.session_keys k ON k.session_no = o.session_no
  JOIN core.transcript_lines l ON l.session_no = o.session_no AND l.line_no = o.turn_no
  LEFT JOIN firsts f ON f.session_no = o.session_no AND f.n = 1
),
typed AS (
  SELECT
    n.*,
    CASE
      WHEN n.run_id LIKE 'announce:%' THEN 'subagent'
      WHEN NOT n.is_mixed THEN CAST(NULL AS STRING)
      WHEN n.run_trigger = 'heartbeat' AND n.run_message_provider = 'cron-event' THEN 'system_event'
      -- 2026.9 runs every wake as a heartbeat; the user line tells what woke the agent.
      WHEN n.run_trigger = 'heartbeat' AND n.provenance_tool IN ('cron', 'hook') THEN CAST(NULL AS STRING)
      WHEN n.run_trigger = 'heartbeat' THEN 'heartbeat'
      WHEN n.run_trigger IN ('memory', 'overflow') THEN 'maintenance'
    END AS run_type,
    CASE
      WHEN n.provenance_tool = 'subagent_announce' THEN 'subagent'
      WHEN NOT n.is_mixed THEN CAST(NULL AS STRING)
      WHEN n.provenance_tool = 'heartbeat' THEN 'heartbeat'
      WHEN n.provenance_tool IN ('cron', 'hook') AND n.key_type <> 'unknown' THEN 'system_event'
    END AS provenance_type,
    CASE
      WHEN n.mark = 'webhook' THEN 'webhook'
      WHEN NOT n.is_mixed THEN CAST(NULL AS STRING)
      WHEN n.mark = 'heartbeat_poll' THEN 'heartbeat'
      WHEN n.mark IN ('cron_wake', 'session_event') THEN 'system_event'
      WHEN n.mark = 'memory_flush' THEN 'maintenance'
      WHEN n.mark = 'cron' AND n.key_type <> 'unknown' THEN 'cron'
    END AS mark_type,
    CASE n.first_mark
      WHEN 'cron' THEN 'cron'
      WHEN 'webhook' THEN 'webhook'
      WHEN 'subagent_context' THEN 'subagent'
    END AS first_mark_type,
    CASE WHEN w.session_no IS NOT NULL THEN 'main' END AS wake_type
  FROM known n
  LEFT JOIN woken w ON w.session_no = n.session_no
),
decided AS (
  SELECT
    t.*,
    coalesce(t.run_type, t.provenance_type, t.mark_type, nullif(t.key_type, 'unknown'), t.first_mark_type, t.wake_type, 'unknown')
      AS session_type,
    CASE
      WHEN t.run_type IS NOT NULL THEN 'run'
      WHEN t.provenance_type IS NOT NULL THEN 'provenance'
      WHEN t.mark_type IS NOT NULL THEN 'mark'
      WHEN t.key_type <> 'unknown' THEN 'key'
      WHEN t.first_mark_type IS NOT NULL THEN 'first mark'
      WHEN t.wake_type IS NOT NULL THEN 'other turns'
      ELSE 'none'
    END AS evidence
  FROM typed t
),
-- The first mark names the whole session's job only where it made the session: one of a wake in a main session does not.
named AS (
  SELECT
    e.*,
    CASE WHEN e.session_type = e.first_mark_type THEN e.first_mark_id END AS own_mark_id,
    CASE WHEN e.session_type = e.first_mark_type THEN e.first_mark_name END AS own_mark_name
  FROM decided e
),
jobs AS (
  SELECT
    c.*,
    CASE WHEN c.session_type IN ('cron', 'system_event')
      THEN coalesce(c.key_job_id, c.mark_id, c.own_mark_id) END AS job_id
  FROM named c
)
SELECT
  d.turn_id, d.session_no, d.turn_no, d.host, d.agent_id, d.session_id, d.session_key, d.started_at, d.ended_at, d.session_type,
  CASE WHEN d.session_type IN ('main', 'dm', 'channel', 'named') THEN 'human' ELSE 'autonomous' END AS trigger,
  d.evidence,
  d.job_id,
  CASE WHEN d.session_type IN ('cron', 'system_event', 'webhook')
    THEN coalesce(d.mark_name, d.own_mark_name, j.name) END AS job_name,
  d.session_type = 'system_event' AND (
    d.job_id IS NOT NULL OR coalesce(d.mark, '') = 'cron_wake' OR coalesce(d.provenance_tool, '') = 'cron'
    OR coalesce(d.run_message_provider, '') = 'cron-event'
  ) AS is_cron_wake,
  d.calls,
  d.tool_calls,
  a.poll_phrase IS NOT NULL AS is_empty_poll,
  a.reply_chars,
  d.ticket_keys
FROM jobs d
LEFT JOIN core.cron_jobs j ON j.host = d.host AND j.job_id = d.job_id
LEFT JOIN core.transcript_lines a ON a.session_no = d.session_no AND a.line_no = d.answer_no
