-- Cost per local day and kind of work: the chart of the report.
-- Grain: one row per (local_date, category) with a call.
-- Columns:
--   local_date  date in the configured time zone
--   category  what the operator calls the work
--   calls  model requests
--   total_tokens  reported tokens
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
SELECT
  c.local_date,
  c.category,
  count(*) FILTER (WHERE c.is_request) AS calls,
  CAST(coalesce(sum(c.total_tokens) FILTER (WHERE c.tokens_basis = 'reported'), 0) AS BIGINT) AS total_tokens,
  CAST(coalesce(sum(c.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd,
  CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd
FROM core.calls c
WHERE c.local_date IS NOT NULL
GROUP BY c.local_date, c.category
