-- Estimate against actual, ticket by ticket: what it was estimated at when work on it began, and what its calls used.
-- The actual figure of an open ticket still grows; one above its P80 will most likely never come back under it. Calls that are
-- ambiguous or belong to no ticket are in no row: mart.ticket_coverage says how many there are.
-- Grain: one row per ticket that has an estimate or used tokens (issue_id).
-- Columns:
--   issue_id  Jira's id of the ticket
--   ticket_key  its present key
--   status_kind  to do, in progress, in review, blocked, done or unknown
--   method  method; no method when the ticket names none
--   agent_id  agent that used most of its tokens, else the one it is assigned to
--   agents  agents that worked on it
--   points  present estimate
--   points_at_start  estimate when work on it began
--   estimated_tokens  that estimate in tokens
--   actual_tokens  tokens used, cache reads counted as the settings say
--   tokens_with_cache_reads  reported tokens
--   tokens_without_cache_reads  reported tokens that were not read from the prompt cache
--   ratio  actual to estimated tokens; NULL without a positive estimate
--   verdict  over, under, exact, or no estimate
--   calls  model requests
--   sessions  sessions
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   started_at  first in progress (UTC)
--   done_at  done (UTC); NULL for open tickets
--   exclusion  why the ticket teaches nothing about estimates; NULL when it is used for mart.method_calibration
--   p50_factor  factor of its method, else of all methods; NULL when there are too few tickets
--   suggested_points  its estimate times that factor
--   p80_tokens  estimated tokens times the P80 factor: what four of five such tickets stay under
--   is_over_p80  it used more than that already
SELECT
  u.issue_id, u.ticket_key, t.status_kind, u.method, u.agent_id, u.agents, t.points, t.points_at_start, u.estimated_tokens,
  u.actual_tokens, u.tokens_with_cache_reads, u.tokens_without_cache_reads,
  -- A product, as Sail divides before it looks at the condition.
  CASE WHEN u.estimated_tokens > 0 THEN CAST(u.actual_tokens AS DOUBLE) * power(u.estimated_tokens, -1E0) END AS ratio,
  CASE
    WHEN u.estimated_tokens IS NULL OR u.estimated_tokens <= 0 THEN 'no estimate'
    WHEN CAST(u.actual_tokens AS DOUBLE) > u.estimated_tokens THEN 'over'
    WHEN CAST(u.actual_tokens AS DOUBLE) < u.estimated_tokens THEN 'under'
    ELSE 'exact'
  END AS verdict,
  u.calls, u.sessions, u.cost_usd, u.list_usd, t.started_at, t.done_at, u.exclusion,
  coalesce(m.p50_factor, a.p50_factor) AS p50_factor,
  CASE WHEN t.points_at_start > 0 THEN t.points_at_start * coalesce(m.p50_factor, a.p50_factor) END AS suggested_points,
  CASE WHEN u.estimated_tokens > 0 THEN u.estimated_tokens * coalesce(m.p80_factor, a.p80_factor) END AS p80_tokens,
  coalesce(CASE WHEN u.estimated_tokens > 0
    THEN CAST(u.actual_tokens AS DOUBLE) > u.estimated_tokens * coalesce(m.p80_factor, a.p80_factor) END, false) AS is_over_p80
FROM core.ticket_usage u
JOIN core.tickets t ON t.issue_id = u.issue_id
LEFT JOIN mart.method_calibration m ON m.method = u.method
LEFT JOIN mart.method_calibration a ON a.method = 'all methods'
WHERE t.points_at_start IS NOT NULL OR u.actual_tokens > 0
