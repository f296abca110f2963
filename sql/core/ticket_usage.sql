-- What each ticket used, beside what it was estimated at, and whether the pair may teach anything about estimates.
-- Tokens are counted over the ticket's whole life, of calls attributed to it alone. A point stands for the configured number of
-- tokens. A pair is usable when the ticket is done, was estimated above zero when work on it began, and used tokens.
-- Grain: one row per ticket (issue_id).
-- Columns:
--   issue_id  Jira's id of the ticket
--   ticket_key  its present key
--   method  method; no method when the ticket names none
--   agent_id  agent that used most of its tokens, else the one it is assigned to
--   agents  agents that worked on it
--   calls  model requests
--   sessions  sessions
--   tokens_with_cache_reads  reported tokens
--   tokens_without_cache_reads  reported tokens that were not read from the prompt cache
--   actual_tokens  the one of both that the settings count
--   estimated_tokens  points when work began, in tokens; NULL without an estimate
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   first_call_at  first call (UTC)
--   last_call_at  start of the last call (UTC)
--   exclusion  why the pair teaches nothing: not done, gone, never started, estimated after the start, no points, no positive
--         points, no tokens; NULL when it is usable
--   log_ratio  natural logarithm of actual to estimated tokens; NULL when the pair is not usable
WITH calls AS (
  SELECT
    a.issue_id, c.agent_id, c.session_id, c.is_request, c.started_at, c.cost_usd, c.list_usd,
    CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END AS tokens,
    CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens - c.cache_read_tokens ELSE CAST(0 AS BIGINT) END AS uncached
  FROM core.ticket_calls a
  JOIN core.calls c ON c.call_id = a.call_id
),
used AS (
  SELECT
    c.issue_id,
    count(*) FILTER (WHERE c.is_request) AS calls,
    count(DISTINCT c.session_id) AS sessions,
    count(DISTINCT c.agent_id) AS agents,
    CAST(sum(c.tokens) AS BIGINT) AS tokens,
    CAST(sum(c.uncached) AS BIGINT) AS uncached,
    CAST(sum(c.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd,
    min(c.started_at) AS first_call_at,
    max(c.started_at) AS last_call_at
  FROM calls c
  GROUP BY c.issue_id
),
shares AS (
  SELECT
    s.issue_id, s.agent_id,
    row_number() OVER (PARTITION BY s.issue_id ORDER BY s.tokens DESC NULLS LAST, s.agent_id NULLS LAST) AS n
  FROM (
    SELECT c.issue_id, c.agent_id, CAST(sum(c.tokens) AS BIGINT) AS tokens
    FROM calls c
    GROUP BY c.issue_id, c.agent_id
  ) s
),
counted AS (
  SELECT
    t.issue_id, t.ticket_key,
    coalesce(t.method, 'no method') AS method,
    coalesce(m.agent_id, t.agent_id) AS agent_id,
    coalesce(u.agents, CAST(0 AS BIGINT)) AS agents,
    coalesce(u.calls, CAST(0 AS BIGINT)) AS calls,
    coalesce(u.sessions, CAST(0 AS BIGINT)) AS sessions,
    coalesce(u.tokens, CAST(0 AS BIGINT)) AS tokens_with_cache_reads,
    coalesce(u.uncached, CAST(0 AS BIGINT)) AS tokens_without_cache_reads,
    coalesce(CASE WHEN f.counts_cache_reads THEN u.tokens ELSE u.uncached END, CAST(0 AS BIGINT)) AS actual_tokens,
    t.points_at_start * f.tokens_per_point AS estimated_tokens,
    u.cost_usd, u.list_usd, u.first_call_at, u.last_call_at,
    t.is_gone, t.status_kind, t.started_at, t.points
  FROM core.tickets t
  CROSS JOIN conf.tickets f
  LEFT JOIN used u ON u.issue_id = t.issue_id
  LEFT JOIN shares m ON m.issue_id = t.issue_id AND m.n = 1
),
judged AS (
  SELECT
    c.*,
    CASE
      WHEN c.status_kind <> 'done' AND c.is_gone THEN 'gone'
      WHEN c.status_kind <> 'done' THEN 'not done'
      WHEN c.started_at IS NULL THEN 'never started'
      WHEN c.estimated_tokens IS NULL AND c.points IS NOT NULL THEN 'estimated after the start'
      WHEN c.estimated_tokens IS NULL THEN 'no points'
      WHEN c.estimated_tokens <= 0 THEN 'no positive points'
      WHEN c.actual_tokens <= 0 THEN 'no tokens'
    END AS exclusion
  FROM counted c
)
SELECT
  j.issue_id, j.ticket_key, j.method, j.agent_id, j.agents, j.calls, j.sessions,
  j.tokens_with_cache_reads, j.tokens_without_cache_reads, j.actual_tokens, j.estimated_tokens, j.cost_usd, j.list_usd,
  j.first_call_at, j.last_call_at, j.exclusion,
  CASE WHEN j.exclusion IS NULL THEN ln(CAST(j.actual_tokens AS DOUBLE) / nullif(j.estimated_tokens, 0)) END AS log_ratio
FROM judged j
