-- Which session key each session id belongs to, and what kind of session that makes it.
-- Best key first: a row of OpenClaw's own (the job's base key before a single run's, the latest first), then the key a
-- trajectory remembers. Sessions without any key keep NULL: their turns are classified by their own marks.
-- Grain: one row per (agent_id, session_id) that has a transcript.
-- Columns:
--   agent_id  agent
--   session_id  session
--   session_no  number of the session, as in core.transcript_lines
--   session_key  session key; NULL when nothing on disk knows it any more
--   label  label of the session
--   key_type  what the key says: main, heartbeat, cron, subagent, webhook, system_event, channel, dm, named, acp,
--         api, maintenance or unknown
--   key_job_id  cron job id in the key
--   spawned_by  session key of the parent of a sub-agent
--   channel  channel the session talks on
WITH candidates AS (
  SELECT
    s.agent_id, s.session_id, s.session_key, s.label, s.hook_source, s.heartbeat_base_key, s.spawned_by, s.channel,
    s.updated_at AS seen_at,
    CASE WHEN s.session_key LIKE '%:run:%' THEN 2 ELSE 1 END AS preference
  FROM raw.openclaw_sessions s
  WHERE s.session_id IS NOT NULL
  UNION ALL
  SELECT
    r.agent_id, r.session_id, r.session_key, CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS STRING),
    CAST(NULL AS STRING), CAST(NULL AS STRING),
    r.started_at,
    3
  FROM raw.openclaw_runs r
  WHERE r.session_key IS NOT NULL
),
best AS (
  SELECT
    c.*,
    row_number() OVER (
      PARTITION BY c.agent_id, c.session_id
      ORDER BY c.preference NULLS LAST, c.seen_at DESC NULLS LAST, c.session_key NULLS LAST, c.label NULLS LAST
    ) AS n
  FROM candidates c
),
sessions AS (
  SELECT l.session_no, min(l.agent_id) AS agent_id, min(l.session_id) AS session_id
  FROM core.transcript_lines l
  GROUP BY l.session_no
),
main_keys AS (
  SELECT DISTINCT a.agent_id, a.main_session_key FROM raw.openclaw_agents a
),
parts AS (
  SELECT
    s.agent_id, s.session_id, s.session_no, m.main_session_key, b.session_key, b.label, b.hook_source, b.heartbeat_base_key, b.spawned_by, b.channel,
    split_part(b.session_key, ':', 3) AS part3,
    split_part(b.session_key, ':', 4) AS part4,
    split_part(b.session_key, ':', 5) AS part5,
    split_part(b.session_key, ':', 6) AS part6
  FROM sessions s
  LEFT JOIN best b ON b.agent_id = s.agent_id AND b.session_id = s.session_id AND b.n = 1
  LEFT JOIN main_keys m ON m.agent_id = s.agent_id AND m.main_session_key = b.session_key
)
SELECT
  p.agent_id,
  p.session_id,
  p.session_no,
  p.session_key,
  p.label,
  CASE
    WHEN p.session_key IS NULL THEN 'unknown'
    WHEN p.hook_source IS NOT NULL THEN 'webhook'
    WHEN p.heartbeat_base_key IS NOT NULL THEN 'heartbeat'
    WHEN p.session_key LIKE '%:heartbeat' OR p.session_key LIKE '%:heartbeat:%' THEN 'heartbeat'
    WHEN p.session_key LIKE '%:subagent:%' THEN 'subagent'
    WHEN p.part3 = 'main' AND p.part4 = '' OR p.main_session_key IS NOT NULL THEN 'main'
    -- A run named by a time stamp is a job's event in the main lane; named by a session id, the job's own session.
    WHEN p.part3 = 'cron' AND p.part5 = 'run' AND p.part6 NOT LIKE '%-%' THEN 'system_event'
    WHEN p.part3 = 'cron' THEN 'cron'
    WHEN p.part3 = 'hook' THEN 'webhook'
    WHEN p.part3 = 'acp' THEN 'acp'
    WHEN p.part3 = 'temp' THEN 'maintenance'
    WHEN p.part3 IN ('openai', 'openresponses') THEN 'api'
    WHEN p.part3 IN ('direct', 'dm') OR p.part4 IN ('direct', 'dm') OR p.part5 IN ('direct', 'dm') THEN 'dm'
    WHEN p.session_key LIKE '%:group:%' OR p.session_key LIKE '%:channel:%' OR p.session_key LIKE '%:room:%'
      THEN 'channel'
    WHEN p.session_key IN ('global', 'unknown') OR p.part3 = '' THEN 'unknown'
    ELSE 'named'
  END AS key_type,
  CASE WHEN p.part3 = 'cron' THEN p.part4 END AS key_job_id,
  p.spawned_by,
  p.channel
FROM parts p
