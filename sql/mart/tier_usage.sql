-- Which work asks for which tier, what served it, what it costs and how long it takes.
-- A call that costs nothing still takes time, carries context and draws on its pool: latency, context and share of the
-- pool's quota stand beside the money. The tier is that of the model group asked for; concrete models are mapped in the
-- settings. The quota of a pool is its configured tokens per day, else what its tokens per minute allow in a day, over the
-- true length of the window.
-- Grain: one row per (window_id, category, tier, provider, model).
-- Columns:
--   window_id  window
--   category  what the operator calls the work
--   tier  tier asked for; none when the model belongs to none
--   provider  provider that served; '' when unknown
--   model  model that served; '' when unknown
--   pool  pool that the serving deployment draws on; the first by name where there are several
--   calls  model requests
--   error_calls  of these, failed or aborted
--   fallback_calls  of these, served after a fallback of the gateway
--   category_share  of the category's requests, 0 to 1; NULL when it has none
--   tier_share  of the tier's requests, 0 to 1: which operations use the tier; NULL when it has none
--   input_tokens  input tokens, cached ones excluded
--   cache_read_tokens  tokens read from the prompt cache
--   cache_write_tokens  tokens written to the prompt cache
--   output_tokens  output tokens, reasoning included
--   total_tokens  all tokens
--   context_tokens_per_call  input and cached tokens carried by a successful request, on average; NULL without one
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   rank_usd  the money that shares and rankings of the window use (USD)
--   timed_calls  successful requests that LiteLLM timed
--   latency_p50_ms  half of them took at most this long (milliseconds); NULL when none is timed
--   latency_p95_ms  95 of 100 took at most this long (milliseconds)
--   first_token_p50_ms  half of the streams began to answer within (milliseconds); NULL without streams
--   quota_share  tokens of what the pool may use in the window, 0 to 1 and above; NULL when no limit is known
WITH grouped AS (
  SELECT
    u.window_id, u.category,
    coalesce(u.requested_tier, 'none') AS tier,
    coalesce(u.provider, '') AS provider,
    coalesce(u.model, '') AS model,
    min(d.pool) AS pool,
    CAST(sum(u.calls) AS BIGINT) AS calls,
    CAST(sum(u.error_calls) AS BIGINT) AS error_calls,
    CAST(sum(CASE WHEN u.is_fallback THEN u.calls ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS fallback_calls,
    CAST(sum(u.input_tokens) AS BIGINT) AS input_tokens,
    CAST(sum(u.cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(sum(u.cache_write_tokens) AS BIGINT) AS cache_write_tokens,
    CAST(sum(u.output_tokens) AS BIGINT) AS output_tokens,
    CAST(sum(u.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(u.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(u.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM core.window_model_usage u
  LEFT JOIN core.deployments d ON d.deployment_id = u.deployment_id
  GROUP BY u.window_id, u.category, coalesce(u.requested_tier, 'none'), coalesce(u.provider, ''), coalesce(u.model, '')
)
SELECT
  g.window_id, g.category, g.tier, g.provider, g.model, g.pool, g.calls, g.error_calls, g.fallback_calls,
  CAST(g.calls AS DOUBLE) / nullif(CAST(sum(g.calls) OVER (PARTITION BY g.window_id, g.category) AS DOUBLE), 0)
    AS category_share,
  CAST(g.calls AS DOUBLE) / nullif(CAST(sum(g.calls) OVER (PARTITION BY g.window_id, g.tier) AS DOUBLE), 0)
    AS tier_share,
  g.input_tokens, g.cache_read_tokens, g.cache_write_tokens, g.output_tokens, g.total_tokens,
  CAST(g.input_tokens + g.cache_read_tokens + g.cache_write_tokens AS DOUBLE)
    / nullif(CAST(g.calls - g.error_calls AS DOUBLE), 0) AS context_tokens_per_call,
  CAST(coalesce(g.cost_usd, 0) AS DECIMAL(28,12)) AS cost_usd,
  g.list_usd,
  CAST(coalesce(CASE WHEN w.rank_basis = 'list' THEN g.list_usd ELSE g.cost_usd END, 0) AS DECIMAL(28,12)) AS rank_usd,
  coalesce(l.timed_calls, 0) AS timed_calls,
  l.latency_p50_ms, l.latency_p95_ms, l.first_token_p50_ms,
  CAST(g.total_tokens AS DOUBLE)
    / nullif(CAST(coalesce(p.tokens_per_day, p.tpm_limit * 1440) AS DOUBLE) * w.hours / 24, 0) AS quota_share
FROM grouped g
JOIN core.windows w ON w.window_id = g.window_id
LEFT JOIN core.window_latency l
  ON l.window_id = g.window_id AND l.category = g.category AND l.tier = g.tier AND l.provider = g.provider
  AND l.model = g.model
LEFT JOIN core.pools p ON p.scope = 'pool' AND p.name = g.pool
