-- Why the bill changed: the change of each category split into volume, tokens per call, and price or model mix.
-- volume: more or fewer calls at the old cost per call. tokens per call: longer or shorter calls at the old cost per token.
-- price and mix: the rest, what a token costs now. The parts add up to the change exactly; a category that is new or gone is
-- volume.
-- Grain: one row per (window_id, category) of windows whose window before has data.
-- Columns:
--   window_id  window
--   previous_window_id  the window before
--   category  what the operator calls the work
--   calls  model requests
--   previous_calls  requests of the window before
--   total_tokens  tokens
--   previous_total_tokens  tokens of the window before
--   rank_usd  the money that rankings of the window use (USD)
--   previous_rank_usd  the window before, in the same money (USD)
--   change_usd  rank_usd minus previous_rank_usd (USD)
--   volume_usd  part of the change that more or fewer calls explain (USD)
--   tokens_per_call_usd  part that longer or shorter calls explain (USD)
--   price_mix_usd  part that dearer or cheaper tokens explain (USD)
--   change_share  change_usd of previous_rank_usd; NULL when that is zero
WITH grouped AS (
  SELECT
    u.window_id,
    u.category,
    coalesce(sum(u.calls) FILTER (WHERE NOT u.is_previous), 0) AS calls,
    coalesce(sum(u.calls) FILTER (WHERE u.is_previous), 0) AS previous_calls,
    coalesce(sum(u.total_tokens) FILTER (WHERE NOT u.is_previous), 0) AS total_tokens,
    coalesce(sum(u.total_tokens) FILTER (WHERE u.is_previous), 0) AS previous_total_tokens,
    CAST(coalesce(sum(u.rank_usd) FILTER (WHERE NOT u.is_previous), 0) AS DECIMAL(28,12)) AS rank_usd,
    CAST(coalesce(sum(u.rank_usd) FILTER (WHERE u.is_previous), 0) AS DECIMAL(28,12)) AS previous_rank_usd
  FROM core.window_usage u
  GROUP BY u.window_id, u.category
),
comparable AS (
  SELECT g.*, w.previous_window_id
  FROM grouped g
  JOIN core.windows w ON w.window_id = g.window_id
  WHERE EXISTS (SELECT 1 FROM core.window_usage u WHERE u.window_id = g.window_id AND u.is_previous)
),
ratios AS (
  SELECT
    c.*,
    CAST(c.rank_usd - c.previous_rank_usd AS DECIMAL(28,12)) AS change_usd,
    CAST(c.calls AS DOUBLE) / nullif(CAST(c.previous_calls AS DOUBLE), 0) AS call_ratio,
    CAST(c.total_tokens AS DOUBLE) / nullif(CAST(c.previous_total_tokens AS DOUBLE), 0) AS token_ratio,
    CAST(c.previous_rank_usd AS DOUBLE) AS before
  FROM comparable c
),
volumes AS (
  SELECT
    r.*,
    CASE
      WHEN r.calls = 0 OR r.call_ratio IS NULL THEN r.change_usd
      ELSE CAST(CAST(r.before * (r.call_ratio - 1) AS DECIMAL(18,6)) AS DECIMAL(28,12))
    END AS volume_usd
  FROM ratios r
),
parts AS (
  SELECT
    v.*,
    CASE
      WHEN v.calls = 0 OR v.call_ratio IS NULL OR v.token_ratio IS NULL THEN CAST(0 AS DECIMAL(28,12))
      ELSE CAST(CAST(v.before * (v.token_ratio - v.call_ratio) AS DECIMAL(18,6)) AS DECIMAL(28,12))
    END AS tokens_per_call_usd
  FROM volumes v
)
SELECT
  p.window_id, p.previous_window_id, p.category,
  CAST(p.calls AS BIGINT) AS calls,
  CAST(p.previous_calls AS BIGINT) AS previous_calls,
  CAST(p.total_tokens AS BIGINT) AS total_tokens,
  CAST(p.previous_total_tokens AS BIGINT) AS previous_total_tokens,
  p.rank_usd, p.previous_rank_usd, p.change_usd,
  p.volume_usd, p.tokens_per_call_usd,
  CAST(p.change_usd - p.volume_usd - p.tokens_per_call_usd AS DECIMAL(28,12)) AS price_mix_usd,
  CAST(p.change_usd AS DOUBLE) / nullif(p.before, 0) AS change_share
FROM parts p
