-- Which models have no price, or cost nothing by the books, and what would their tokens cost at list prices? (last 7 days)
SELECT
  provider, model, model_group_requested AS asked, calls, total_tokens, round(cost_usd, 4) AS cost_usd,
  round(list_usd, 4) AS list_usd,
  CASE WHEN NOT is_priced THEN 'no list price: name one under [price_aliases]' WHEN cost_usd = 0 THEN 'costs nothing by the books'
    ELSE 'cost and list price differ' END AS meaning
FROM mart.model_usage
WHERE window_id = 'trailing_7d' AND total_tokens > 0 AND (NOT is_priced OR cost_usd < list_usd / 2)
ORDER BY is_priced, list_usd DESC NULLS LAST, total_tokens DESC, provider, model, asked
