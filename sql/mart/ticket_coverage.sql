-- How much of the work is known to belong to a ticket, and by which evidence. Ambiguous and unattributed work are rows of their
-- own and are never spread over tickets.
-- Grain: one row per (window_id, attribution, evidence).
-- Columns:
--   window_id  window
--   attribution  attributed, ambiguous or unattributed
--   evidence  what names the ticket (see core.ticket_calls), or none
--   calls  model requests
--   tickets  tickets; 0 unless attributed
--   total_tokens  reported tokens
--   token_share  share of the window's reported tokens; NULL when there are none
--   cost_usd  cost on the configured basis (USD)
-- Calls are added up once, by ISO week and trailing window, before they are laid out by window.
WITH trailing_windows AS (
  SELECT w.window_id, w.starts_at, w.ends_at FROM core.windows w WHERE w.kind <> 'iso_week'
),
parts AS (
  SELECT
    c.local_week, t.window_id AS trailing_window_id, a.attribution, a.evidence, a.issue_id,
    count(*) FILTER (WHERE c.is_request) AS calls,
    sum(CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END) AS total_tokens,
    CAST(coalesce(sum(c.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd
  FROM core.calls c
  JOIN core.ticket_calls a ON a.call_id = c.call_id
  LEFT JOIN trailing_windows t ON c.started_at >= t.starts_at AND c.started_at < t.ends_at
  GROUP BY c.local_week, t.window_id, a.attribution, a.evidence, a.issue_id
),
laid_out AS (
  SELECT p.local_week AS window_id, p.* FROM parts p
  UNION ALL
  SELECT p.trailing_window_id AS window_id, p.* FROM parts p
)
SELECT
  s.window_id, s.attribution, s.evidence, s.calls, s.tickets, s.total_tokens,
  CAST(s.total_tokens AS DOUBLE)
    / nullif(CAST(sum(s.total_tokens) OVER (PARTITION BY s.window_id) AS DOUBLE), 0) AS token_share,
  s.cost_usd
FROM (
  SELECT
    w.window_id, p.attribution, p.evidence,
    CAST(sum(p.calls) AS BIGINT) AS calls,
    count(DISTINCT p.issue_id) AS tickets,
    CAST(sum(p.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(p.cost_usd) AS DECIMAL(28,12)) AS cost_usd
  FROM core.windows w
  JOIN laid_out p ON p.window_id = w.window_id
  GROUP BY w.window_id, p.attribution, p.evidence
) s
