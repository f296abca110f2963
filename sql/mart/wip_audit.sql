-- Work in progress by agent: which ticket to resume when there are several, and which have gone stale. A report only: nothing in
-- Jira is ever changed. Tickets in review and blocked ones wait for somebody else and do not count as work in progress; nor does
-- a ticket that something is working on right now. Of several the one of the highest priority is to be resumed, then the lowest
-- key. Reasons of stale tickets, the first that holds: BLOCKED_LINK, REVIEW_WAITING, NO_ACTIVITY (no call since it came into its
-- status), NEEDS_HUMAN (a session that worked for it went on with something else), APPEARS_COMPLETE (its sessions have ended).
-- Grain: one row per ticket in progress, in review or blocked that an agent owns (issue_id).
-- Columns:
--   agent_id  agent that the ticket is assigned to
--   issue_id  Jira's id of the ticket
--   ticket_key  its present key
--   status_kind  in progress, in review or blocked
--   priority  priority
--   status_since  when it came into its status (UTC)
--   last_call_at  start of the last call attributed to it (UTC); NULL when there is none
--   quiet_since  last change or call, whichever is later (UTC)
--   quiet_days  midnights (UTC) since then
--   in_progress  tickets that count as the agent's work in progress
--   action  processing (a call in the last hour), waiting, only, resume or extra
--   is_stale  quiet for the configured number of days
--   reason  why it may be stale; NULL when it is not
--   tokens_in_status  reported tokens attributed to it since it came into its status
--   polls  polls of the agent since it has been stale: each met it
--   poll_tokens  reported tokens of these
--   poll_cost_usd  cost of these on the configured basis (USD)
WITH owned AS (
  SELECT
    t.agent_id, t.issue_id, t.ticket_key, t.project_key, t.issue_number, t.status_kind, t.priority, t.priority_rank,
    t.open_blockers, t.status_since, t.updated_at
  FROM core.tickets t
  WHERE t.status_kind IN ('in progress', 'in review', 'blocked') AND t.agent_id IS NOT NULL AND NOT t.is_gone
),
worked AS (
  SELECT a.issue_id, c.agent_id, c.session_id, c.started_at,
    CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END AS tokens
  FROM core.ticket_calls a
  JOIN core.calls c ON c.call_id = a.call_id
),
used AS (
  SELECT
    o.issue_id,
    max(w.started_at) AS last_call_at,
    max(s.ended_at) AS sessions_ended_at,
    CAST(sum(CASE WHEN w.started_at >= o.status_since THEN w.tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS tokens_in_status
  FROM owned o
  JOIN worked w ON w.issue_id = o.issue_id
  LEFT JOIN core.sessions s ON s.agent_id = w.agent_id AND s.session_id = w.session_id
  GROUP BY o.issue_id
),
quiet AS (
  SELECT
    o.*,
    u.last_call_at, u.sessions_ended_at,
    coalesce(u.tokens_in_status, CAST(0 AS BIGINT)) AS tokens_in_status,
    coalesce(u.last_call_at > r.as_of - INTERVAL '1' HOUR, false) AS is_processing,
    greatest(o.status_since, coalesce(o.updated_at, o.status_since), coalesce(u.last_call_at, o.status_since)) AS quiet_since,
    r.as_of, f.stale_days
  FROM owned o
  CROSS JOIN conf.run r
  CROSS JOIN conf.tickets f
  LEFT JOIN used u ON u.issue_id = o.issue_id
),
counted AS (
  SELECT
    q.*,
    q.quiet_since + q.stale_days * INTERVAL '1' DAY AS stale_at,
    q.status_kind = 'in progress' AND NOT q.is_processing AS counts,
    CAST(sum(CASE WHEN q.status_kind = 'in progress' AND NOT q.is_processing THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END)
      OVER (PARTITION BY q.agent_id) AS BIGINT) AS in_progress,
    row_number() OVER (
      PARTITION BY q.agent_id, q.status_kind = 'in progress' AND NOT q.is_processing
      ORDER BY q.priority_rank NULLS LAST, q.project_key NULLS LAST, q.issue_number NULLS LAST, q.issue_id NULLS LAST
    ) AS place
  FROM quiet q
),
polled AS (
  SELECT
    c.issue_id,
    count(*) AS polls,
    CAST(sum(p.total_tokens) AS BIGINT) AS poll_tokens,
    CAST(sum(p.cost_usd) AS DECIMAL(28,12)) AS poll_cost_usd
  FROM counted c
  JOIN core.polls p ON p.agent_id = c.agent_id AND p.started_at >= c.stale_at AND NOT p.is_skipped
  GROUP BY c.issue_id
)
SELECT
  c.agent_id, c.issue_id, c.ticket_key, c.status_kind, c.priority, c.status_since, c.last_call_at, c.quiet_since,
  CAST(extract(day FROM date_trunc('day', c.as_of) - date_trunc('day', c.quiet_since)) AS BIGINT) AS quiet_days,
  c.in_progress,
  CASE
    WHEN c.is_processing THEN 'processing'
    WHEN NOT c.counts THEN 'waiting'
    WHEN c.in_progress = 1 THEN 'only'
    WHEN c.place = 1 THEN 'resume'
    ELSE 'extra'
  END AS action,
  c.stale_at <= c.as_of AS is_stale,
  CASE
    WHEN c.stale_at > c.as_of THEN CAST(NULL AS STRING)
    WHEN c.open_blockers > 0 OR c.status_kind = 'blocked' THEN 'BLOCKED_LINK'
    WHEN c.status_kind = 'in review' THEN 'REVIEW_WAITING'
    WHEN c.tokens_in_status = 0 THEN 'NO_ACTIVITY'
    WHEN c.sessions_ended_at > c.last_call_at + INTERVAL '1' DAY THEN 'NEEDS_HUMAN'
    ELSE 'APPEARS_COMPLETE'
  END AS reason,
  c.tokens_in_status,
  coalesce(p.polls, CAST(0 AS BIGINT)) AS polls,
  coalesce(p.poll_tokens, CAST(0 AS BIGINT)) AS poll_tokens,
  coalesce(p.poll_cost_usd, CAST(0 AS DECIMAL(28,12))) AS poll_cost_usd
FROM counted c
LEFT JOIN polled p ON p.issue_id = c.issue_id
