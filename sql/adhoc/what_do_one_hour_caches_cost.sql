-- What do cache writes with the one-hour lifetime cost beyond the five-minute price that tools often take? (all time)
SELECT
  c.lane AS agent, c.model, count(*) AS calls, sum(c.cache_write_tokens) AS cache_write_tokens,
  sum(c.cache_write_1h_tokens) AS cache_write_1h_tokens,
  any_value(p.cache_write_price) * 1000000 AS five_minutes_usd_per_million,
  any_value(p.cache_write_1h_price) * 1000000 AS one_hour_usd_per_million,
  round(sum((p.cache_write_1h_price - p.cache_write_price) * c.cache_write_1h_tokens::DECIMAL(19,0)), 6) AS one_hour_surcharge_usd,
  round(sum(c.estimate_usd), 4) AS estimate_usd, round(sum(c.spend_usd), 4) AS spend_usd, round(sum(c.list_usd), 4) AS list_usd
FROM core.calls c
LEFT JOIN core.list_prices p
  ON p.provider = coalesce(c.provider, '') AND p.model = coalesce(c.model, '')
  AND c.local_date >= p.valid_from AND c.local_date < p.valid_to
  AND c.total_tokens - c.output_tokens >= p.min_prompt_tokens AND c.total_tokens - c.output_tokens < p.max_prompt_tokens
WHERE c.cache_write_1h_tokens > 0
GROUP BY c.lane, c.model
ORDER BY one_hour_surcharge_usd DESC NULLS LAST, agent, c.model
