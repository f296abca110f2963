-- Is cached input priced as such: what would it cost as plain input, and do spend and list price agree? (last 7 days)
SELECT
  c.provider, c.model, count(*) AS calls, sum(c.input_tokens) AS input_tokens,
  sum(c.cache_read_tokens) AS cache_read_tokens, sum(c.cache_write_tokens) AS cache_write_tokens,
  round(100 * sum(c.cache_read_tokens) / nullif(sum(c.input_tokens + c.cache_read_tokens + c.cache_write_tokens), 0), 1) AS cached_percent,
  round(sum(c.list_usd), 4) AS list_usd,
  round(sum((p.input_price - p.cache_read_price) * c.cache_read_tokens::DECIMAL(19,0)), 4) AS saved_by_cache_usd,
  round(sum(c.spend_usd), 4) AS spend_usd,
  round(CAST(sum(c.spend_usd) FILTER (WHERE c.spend_usd > 0) AS DOUBLE)
    / nullif(sum(c.list_usd) FILTER (WHERE c.spend_usd > 0), 0), 4) AS spend_by_list
FROM core.calls c
JOIN core.windows w ON w.window_id = 'trailing_7d' AND c.started_at >= w.starts_at AND c.started_at < w.ends_at
LEFT JOIN core.list_prices p
  ON p.provider = coalesce(c.provider, '') AND p.model = coalesce(c.model, '')
  AND c.local_date >= p.valid_from AND c.local_date < p.valid_to
  AND c.total_tokens - c.output_tokens >= p.min_prompt_tokens AND c.total_tokens - c.output_tokens < p.max_prompt_tokens
WHERE c.is_request AND c.tokens_basis = 'reported'
GROUP BY c.provider, c.model
ORDER BY list_usd DESC NULLS LAST, c.provider, c.model
