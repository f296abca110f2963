-- Public list prices of the models met: what a call would cost at list, whatever was paid.
-- Grain: one row per (provider, model, valid_from, min_prompt_tokens); validity and prompt ranges do not overlap.
-- Columns:
--   provider  provider as the source calls it; '' when it names none
--   model  model as the source calls it
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
--   evidence  how that model was found: alias, deployment or name
SELECT
  p.provider, p.model, p.valid_from, p.valid_to, p.min_prompt_tokens, p.max_prompt_tokens,
  p.input_price, p.cache_read_price, p.cache_write_price, p.cache_write_1h_price, p.output_price,
  p.priced_as, p.evidence
FROM conf.list_prices p
