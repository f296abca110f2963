-- Reporting windows with the money their figures are ranked by.
-- Internal models cost nothing: when under half of a window's tokens carry a spend, shares and rankings use list prices.
-- Grain: one row per window_id.
-- Columns:
--   window_id  ISO week such as 2026-W47, trailing_7d (the 7 days up to now) or trailing_7d_before
--   kind  iso_week, trailing or trailing_before
--   label  the window in words
--   starts_at  first moment (UTC)
--   ends_at  first moment after it (UTC)
--   first_date  first local date
--   last_date  last local date
--   hours  true length: a week has 167 or 169 hours when the clocks change
--   is_complete  whether it has ended
--   previous_window_id  the window of the same kind before it
--   rank_basis  cost or list: which money shares and rankings of this window use
-- Calls are added up by ISO week, and again for the trailing windows: holding each call against all windows takes longer.
WITH weeks AS (
  SELECT
    c.local_week AS window_id,
    sum(c.total_tokens) AS tokens,
    sum(c.total_tokens) FILTER (WHERE c.cost_usd > 0) AS paid_tokens
  FROM core.calls c
  WHERE c.tokens_basis = 'reported'
  GROUP BY c.local_week
),
trailing_windows AS (
  SELECT
    w.window_id,
    sum(c.total_tokens) AS tokens,
    sum(c.total_tokens) FILTER (WHERE c.cost_usd > 0) AS paid_tokens
  FROM conf.windows w
  JOIN core.calls c ON c.started_at >= w.starts_at AND c.started_at < w.ends_at
  WHERE w.kind <> 'iso_week' AND c.tokens_basis = 'reported'
  GROUP BY w.window_id
),
paid AS (
  SELECT k.window_id, k.tokens, k.paid_tokens FROM weeks k
  UNION ALL
  SELECT t.window_id, t.tokens, t.paid_tokens FROM trailing_windows t
)
SELECT
  w.window_id, w.kind, w.label, w.starts_at, w.ends_at, w.first_date, w.last_date, w.hours, w.is_complete,
  w.previous_window_id,
  CASE WHEN coalesce(p.paid_tokens, 0) * 2 < coalesce(p.tokens, 0) THEN 'list' ELSE 'cost' END AS rank_basis
FROM conf.windows w
LEFT JOIN paid p ON p.window_id = w.window_id
