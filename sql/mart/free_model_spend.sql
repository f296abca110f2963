-- Models that are configured as free and still log spend: their input and output prices are zero, the price of cached tokens
-- is not (LiteLLM's cost map stays in force for it). Such spend counts against budgets.
-- Grain: one row per (window_id, model_group, model, deployment_id).
-- Columns:
--   window_id  window
--   model_group  group that served
--   model  provider/model that served
--   deployment_id  deployment that served
--   calls  requests at zero input and output price
--   spending_calls  of these, requests that log spend
--   cache_read_tokens  tokens read from the prompt cache by these
--   spend_usd  what they log (USD)
SELECT
  w.window_id,
  s.model_group,
  s.model,
  s.deployment_id,
  count(*) AS calls,
  count(*) FILTER (WHERE s.spend_usd > 0) AS spending_calls,
  CAST(coalesce(sum(s.cache_read_tokens) FILTER (WHERE s.spend_usd > 0), 0) AS BIGINT) AS cache_read_tokens,
  CAST(sum(s.spend_usd) AS DECIMAL(28,12)) AS spend_usd
FROM raw.litellm_spend_logs s
JOIN core.windows w ON s.started_at >= w.starts_at AND s.started_at < w.ends_at
WHERE s.input_price = 0 AND s.output_price = 0 AND s.status = 'success'
GROUP BY w.window_id, s.model_group, s.model, s.deployment_id
HAVING sum(s.spend_usd) > 0
