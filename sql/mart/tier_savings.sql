-- What tiering saves: the list cost of what was used against the same tokens at the price of one tier for everything.
-- Compared are calls whose tokens are reported and whose own list price is known, each priced at the day and the prompt
-- size it had; cached tokens are priced as cached ones. A tier's price is that of the first model [tiers] names for it;
-- the tiers meant are called heavy and standard. The target mapping ([target_tiers], else [mapping.operations]) says a tier
-- by category; a category it does not name stays as it was. What another model would have written or cached otherwise
-- nobody knows: the same tokens are a comparison of prices, not a forecast.
-- Grain: one row per (window_id, scope, name).
-- Columns:
--   window_id  window
--   scope  total, trigger (human or autonomous work) or category
--   name  all, human, autonomous, or the category
--   calls  model requests
--   total_tokens  reported tokens
--   covered_tokens  of these, tokens of calls with a list price: only they are compared
--   coverage_share  covered_tokens of total_tokens, 0 to 1; NULL without tokens
--   list_usd  what the compared tokens cost at list prices (USD); NULL when none are compared
--   all_heavy_usd  the same tokens at the price of the tier heavy (USD); NULL when that has no price
--   all_standard_usd  the same tokens at the price of the tier standard (USD); NULL when that has no price
--   target_tier  tier the target mapping gives the category; NULL for other scopes and when it names none
--   target_usd  the same tokens by the target mapping (USD); NULL when a tier of it has no price
--   saved_vs_heavy_usd  all_heavy_usd minus list_usd (USD)
--   saved_vs_heavy_share  saved_vs_heavy_usd of all_heavy_usd; NULL when that is NULL or zero
--   heavy_ratio  how many times list_usd all_heavy_usd is; NULL when list_usd is zero
--   saved_vs_standard_usd  all_standard_usd minus list_usd (USD)
--   saved_vs_standard_share  saved_vs_standard_usd of all_standard_usd; NULL when that is NULL or zero
--   saved_by_target_usd  list_usd minus target_usd: what the target mapping would save (USD)
--   saved_by_target_share  saved_by_target_usd of list_usd; NULL when that is zero
WITH repriced AS (
  SELECT
    u.window_id, u.category, u.trigger, u.calls, u.total_tokens, u.is_list_priced, u.list_usd,
    t.tier AS target_tier,
    CAST(
      CAST(h.input_price * CAST(u.input_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(h.cache_read_price * CAST(u.cache_read_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(h.cache_write_price * CAST(u.cache_write_tokens - u.cache_write_1h_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(h.cache_write_1h_price * CAST(u.cache_write_1h_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(h.output_price * CAST(u.output_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      AS DECIMAL(28,12)) AS heavy_usd,
    CAST(
      CAST(s.input_price * CAST(u.input_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(s.cache_read_price * CAST(u.cache_read_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(s.cache_write_price * CAST(u.cache_write_tokens - u.cache_write_1h_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(s.cache_write_1h_price * CAST(u.cache_write_1h_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(s.output_price * CAST(u.output_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      AS DECIMAL(28,12)) AS standard_usd,
    CAST(
      CAST(g.input_price * CAST(u.input_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(g.cache_read_price * CAST(u.cache_read_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(g.cache_write_price * CAST(u.cache_write_tokens - u.cache_write_1h_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(g.cache_write_1h_price * CAST(u.cache_write_1h_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(g.output_price * CAST(u.output_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      AS DECIMAL(28,12)) AS priced_target_usd
  FROM core.window_model_usage u
  LEFT JOIN conf.target_tiers t ON t.category = u.category
  LEFT JOIN core.tier_prices h
    ON h.tier = 'heavy'
    AND u.local_date >= h.valid_from AND u.local_date < h.valid_to
    AND u.min_prompt_tokens >= h.min_prompt_tokens AND u.min_prompt_tokens < h.max_prompt_tokens
  LEFT JOIN core.tier_prices s
    ON s.tier = 'standard'
    AND u.local_date >= s.valid_from AND u.local_date < s.valid_to
    AND u.min_prompt_tokens >= s.min_prompt_tokens AND u.min_prompt_tokens < s.max_prompt_tokens
  LEFT JOIN core.tier_prices g
    ON g.tier = t.tier
    AND u.local_date >= g.valid_from AND u.local_date < g.valid_to
    AND u.min_prompt_tokens >= g.min_prompt_tokens AND u.min_prompt_tokens < g.max_prompt_tokens
),
scoped AS (
  SELECT
    r.window_id, r.category, r.trigger, r.calls, r.total_tokens, r.is_list_priced, r.list_usd, r.heavy_usd,
    r.standard_usd, r.target_tier,
    CASE WHEN r.target_tier IS NULL THEN r.list_usd ELSE r.priced_target_usd END AS target_usd
  FROM repriced r
),
parts AS (
  SELECT 'total' AS scope, 'all' AS name, CAST(NULL AS STRING) AS shown_tier, a.* FROM scoped a
  UNION ALL
  SELECT 'trigger' AS scope, b.trigger AS name, CAST(NULL AS STRING) AS shown_tier, b.* FROM scoped b
  UNION ALL
  SELECT 'category' AS scope, c.category AS name, c.target_tier AS shown_tier, c.* FROM scoped c
),
sums AS (
  SELECT
    p.window_id, p.scope, p.name,
    min(p.shown_tier) AS target_tier,
    CAST(sum(p.calls) AS BIGINT) AS calls,
    CAST(sum(p.total_tokens) AS BIGINT) AS total_tokens,
    CAST(coalesce(sum(p.total_tokens) FILTER (WHERE p.is_list_priced), 0) AS BIGINT) AS covered_tokens,
    CAST(sum(p.list_usd) AS DECIMAL(28,12)) AS list_usd,
    -- One row without the tier's price would make the sum too small: then there is none.
    CASE WHEN count(*) FILTER (WHERE p.heavy_usd IS NULL) = 0
      THEN CAST(sum(p.heavy_usd) FILTER (WHERE p.is_list_priced) AS DECIMAL(28,12)) END AS all_heavy_usd,
    CASE WHEN count(*) FILTER (WHERE p.standard_usd IS NULL) = 0
      THEN CAST(sum(p.standard_usd) FILTER (WHERE p.is_list_priced) AS DECIMAL(28,12)) END AS all_standard_usd,
    CASE WHEN count(*) FILTER (WHERE p.is_list_priced AND p.target_usd IS NULL) = 0
      THEN CAST(sum(p.target_usd) FILTER (WHERE p.is_list_priced) AS DECIMAL(28,12)) END AS target_usd
  FROM parts p
  GROUP BY p.window_id, p.scope, p.name
)
SELECT
  s.window_id, s.scope, s.name, s.calls, s.total_tokens, s.covered_tokens,
  CAST(s.covered_tokens AS DOUBLE) / nullif(CAST(s.total_tokens AS DOUBLE), 0) AS coverage_share,
  s.list_usd, s.all_heavy_usd, s.all_standard_usd, s.target_tier, s.target_usd,
  CAST(s.all_heavy_usd - s.list_usd AS DECIMAL(28,12)) AS saved_vs_heavy_usd,
  CAST(s.all_heavy_usd - s.list_usd AS DOUBLE) / nullif(CAST(s.all_heavy_usd AS DOUBLE), 0) AS saved_vs_heavy_share,
  CAST(s.all_heavy_usd AS DOUBLE) / nullif(CAST(s.list_usd AS DOUBLE), 0) AS heavy_ratio,
  CAST(s.all_standard_usd - s.list_usd AS DECIMAL(28,12)) AS saved_vs_standard_usd,
  CAST(s.all_standard_usd - s.list_usd AS DOUBLE) / nullif(CAST(s.all_standard_usd AS DOUBLE), 0)
    AS saved_vs_standard_share,
  CAST(s.list_usd - s.target_usd AS DECIMAL(28,12)) AS saved_by_target_usd,
  CAST(s.list_usd - s.target_usd AS DOUBLE) / nullif(CAST(s.list_usd AS DOUBLE), 0) AS saved_by_target_share
FROM sums s
