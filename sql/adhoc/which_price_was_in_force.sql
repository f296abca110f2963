-- Which list price was in force for each model, since when, and what did the calls at it come to? (prices in USD per million)
SELECT
  p.provider, p.model, p.priced_as, p.evidence, p.valid_from, p.valid_to, p.min_prompt_tokens AS from_prompt_tokens,
  p.input_price * 1000000 AS input, p.cache_read_price * 1000000 AS cache_read, p.cache_write_price * 1000000 AS cache_write,
  p.cache_write_1h_price * 1000000 AS cache_write_1h, p.output_price * 1000000 AS output,
  count(c.call_id) AS calls, round(sum(c.list_usd), 4) AS list_usd
FROM core.list_prices p
LEFT JOIN core.calls c
  ON p.provider = coalesce(c.provider, '') AND p.model = coalesce(c.model, '') AND c.tokens_basis = 'reported'
  AND c.local_date >= p.valid_from AND c.local_date < p.valid_to
  AND c.total_tokens - c.output_tokens >= p.min_prompt_tokens AND c.total_tokens - c.output_tokens < p.max_prompt_tokens
GROUP BY ALL
ORDER BY p.model, p.provider, p.valid_from, p.min_prompt_tokens
