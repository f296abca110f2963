-- What fits into this week: an agent's open tickets in the order of work, each with what is left of its estimate times the factors
-- of its method, against what the agent's weekly token budget still holds. Work in progress comes first, then priority, then key.
-- Grain: one row per open ticket with a positive estimate that an agent with a budget owns (issue_id).
-- Columns:
--   agent_id  agent that the ticket is assigned to
--   issue_id  Jira's id of the ticket
--   ticket_key  its present key
--   status_kind  to do, in progress, in review or blocked
--   method  method; no method when the ticket names none
--   place  its place in the order of work
--   points  present estimate
--   used_tokens  tokens it used so far
--   p50_tokens  what is left when half of such tickets stay under it, not below zero; NULL without a factor
--   p80_tokens  what is left when four of five such tickets stay under it, not below zero; NULL without a factor
--   budget_tokens  weekly budget of the agent
--   used_this_week  tokens that the agent used in this ISO week
--   fits_p50  this ticket and all before it fit into what is left, by P50; NULL without a factor
--   fits_p80  the same by P80
-- The ISO week of now is the only window that ends later than now.
WITH weeks AS (
  SELECT w.starts_at
  FROM conf.windows w
  CROSS JOIN conf.run r
  WHERE w.ends_at > r.as_of
),
spent AS (
  SELECT
    c.agent_id,
    CAST(sum(CASE
      WHEN c.tokens_basis <> 'reported' THEN CAST(0 AS BIGINT)
      WHEN f.counts_cache_reads THEN c.total_tokens
      ELSE c.total_tokens - c.cache_read_tokens
    END) AS BIGINT) AS tokens
  FROM core.calls c
  CROSS JOIN conf.tickets f
  JOIN weeks w ON c.started_at >= w.starts_at
  GROUP BY c.agent_id
),
open AS (
  SELECT
    t.agent_id, t.issue_id, t.ticket_key, t.status_kind, u.method, t.points, u.actual_tokens, b.tokens AS budget_tokens,
    coalesce(s.tokens, CAST(0 AS BIGINT)) AS used_this_week,
    greatest(0E0, t.points * f.tokens_per_point * coalesce(m.p50_factor, a.p50_factor) - CAST(u.actual_tokens AS DOUBLE)) AS p50,
    greatest(0E0, t.points * f.tokens_per_point * coalesce(m.p80_factor, a.p80_factor) - CAST(u.actual_tokens AS DOUBLE)) AS p80,
    coalesce(m.p50_factor, a.p50_factor) IS NOT NULL AS has_p50,
    coalesce(m.p80_factor, a.p80_factor) IS NOT NULL AS has_p80,
    row_number() OVER (
      PARTITION BY t.agent_id
      ORDER BY CASE t.status_kind WHEN 'to do' THEN 2 ELSE 1 END NULLS LAST, t.priority_rank NULLS LAST,
        t.project_key NULLS LAST, t.issue_number NULLS LAST, t.issue_id NULLS LAST
    ) AS place
  FROM core.tickets t
  JOIN core.ticket_usage u ON u.issue_id = t.issue_id
  JOIN conf.token_budgets b ON b.agent_id = t.agent_id
  CROSS JOIN conf.tickets f
  LEFT JOIN spent s ON s.agent_id = t.agent_id
  LEFT JOIN mart.method_calibration m ON m.method = u.method
  LEFT JOIN mart.method_calibration a ON a.method = 'all methods'
  WHERE t.status_kind NOT IN ('done', 'unknown') AND NOT t.is_gone AND t.points > 0
)
SELECT
  o.agent_id, o.issue_id, o.ticket_key, o.status_kind, o.method, o.place, o.points,
  o.actual_tokens AS used_tokens,
  CASE WHEN o.has_p50 THEN o.p50 END AS p50_tokens,
  CASE WHEN o.has_p80 THEN o.p80 END AS p80_tokens,
  o.budget_tokens, o.used_this_week,
  CASE WHEN o.has_p50 THEN
    sum(o.p50) OVER (PARTITION BY o.agent_id ORDER BY o.place NULLS LAST)
      <= CAST(o.budget_tokens - o.used_this_week AS DOUBLE) END AS fits_p50,
  CASE WHEN o.has_p80 THEN
    sum(o.p80) OVER (PARTITION BY o.agent_id ORDER BY o.place NULLS LAST)
      <= CAST(o.budget_tokens - o.used_this_week AS DOUBLE) END AS fits_p80
FROM open o
