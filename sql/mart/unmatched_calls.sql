-- What only one source has, by reason: the part of the figures that rests on one witness.
-- Grain: one row per (window_id, source, reason).
-- Columns:
--   window_id  window
--   source  openclaw, litellm or otel: who has it
--   reason  why the other has not (see core.unmatched_calls)
--   calls  rows of core.calls
--   requests  of these, requests: attempt rows, health checks and model lists are none
--   total_tokens  reported tokens
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   first_at  first of them (UTC)
--   last_at  last of them (UTC)
SELECT
  w.window_id, u.source, u.reason,
  count(*) AS calls,
  count(*) FILTER (WHERE c.is_request) AS requests,
  CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS total_tokens,
  CAST(coalesce(sum(c.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd,
  CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd,
  min(c.started_at) AS first_at,
  max(c.started_at) AS last_at
FROM core.unmatched_calls u
JOIN core.calls c ON c.call_id = u.call_id
JOIN core.windows w ON c.started_at >= w.starts_at AND c.started_at < w.ends_at
GROUP BY w.window_id, u.source, u.reason
