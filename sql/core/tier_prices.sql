-- What a token costs in each tier: list prices of the model that serves most of the tier's tokens, at each window's end.
-- Prices are those of short prompts; a tier that no priced model has served yet has no row.
-- Grain: one row per (window_id, tier).
-- Columns:
--   window_id  window
--   tier  tier
--   position  place of the tier in the settings: 1 is the smallest
--   provider  provider of the model that stands for the tier
--   model  model that stands for the tier
--   input_price  USD per input token
--   cache_read_price  USD per token read from the prompt cache
--   cache_write_price  USD per token written to the prompt cache
--   output_price  USD per output token
WITH served AS (
  SELECT
    c.requested_tier AS tier, coalesce(c.provider, '') AS provider, coalesce(c.model, '') AS model,
    sum(c.total_tokens) AS tokens
  FROM core.calls c
  WHERE c.list_usd IS NOT NULL
  GROUP BY c.requested_tier, coalesce(c.provider, ''), coalesce(c.model, '')
),
numbered AS (
  SELECT
    s.*,
    row_number() OVER (
      PARTITION BY s.tier ORDER BY s.tokens DESC NULLS LAST, s.provider NULLS LAST, s.model NULLS LAST
    ) AS n
  FROM served s
)
SELECT
  w.window_id, o.tier, o.position, n.provider, n.model,
  p.input_price, p.cache_read_price, p.cache_write_price, p.output_price
FROM conf.windows w
CROSS JOIN conf.tier_order o
JOIN numbered n ON n.tier = o.tier AND n.n = 1
JOIN core.list_prices p
  ON p.provider = n.provider AND p.model = n.model
  AND w.last_date >= p.valid_from AND w.last_date < p.valid_to
  AND p.min_prompt_tokens = 0
