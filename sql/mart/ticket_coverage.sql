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
SELECT
  s.window_id, s.attribution, s.evidence, s.calls, s.tickets, s.total_tokens,
  CAST(s.total_tokens AS DOUBLE)
    / nullif(CAST(sum(s.total_tokens) OVER (PARTITION BY s.window_id) AS DOUBLE), 0) AS token_share,
  s.cost_usd
FROM (
  SELECT
    w.window_id, a.attribution, a.evidence,
    count(*) FILTER (WHERE c.is_request) AS calls,
    count(DISTINCT a.issue_id) AS tickets,
    CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS total_tokens,
    CAST(coalesce(sum(c.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd
  FROM core.windows w
  JOIN core.calls c ON c.started_at >= w.starts_at AND c.started_at < w.ends_at
  JOIN core.ticket_calls a ON a.call_id = c.call_id
  GROUP BY w.window_id, a.attribution, a.evidence
) s
