-- List prices of the tiers: those of the first model that [tiers] names for each.
-- That name is priced like any other: through the price aliases, then the deployments of the group, then as a public model.
-- Grain: one row per (tier, valid_from, min_prompt_tokens); validity and prompt ranges do not overlap.
-- Columns:
--   tier  tier
--   model  the model that gives it its price
--   valid_from  first local date the price holds
--   valid_to  first local date it no longer holds
--   min_prompt_tokens  smallest prompt (cached tokens included) the price is for
--   max_prompt_tokens  prompt size at which the next price begins
--   input_price  USD per uncached input token
--   cache_read_price  USD per token read from the prompt cache
--   cache_write_price  USD per token written to the prompt cache (five-minute lifetime)
--   cache_write_1h_price  USD per token written to the prompt cache with the one-hour lifetime
--   output_price  USD per output token, reasoning included
--   priced_as  the public model whose price it is
SELECT
  t.tier, t.model, p.valid_from, p.valid_to, p.min_prompt_tokens, p.max_prompt_tokens,
  p.input_price, p.cache_read_price, p.cache_write_price, p.cache_write_1h_price, p.output_price, p.priced_as
FROM conf.tiers t
JOIN core.list_prices p ON p.provider = '' AND p.model = t.model
WHERE t.position = 1
