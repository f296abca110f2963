-- Which work asks for which tier, what served it, and what does it cost in money, time and quota?
SELECT
  tier, category, model, pool, calls, round(100 * tier_share, 1) AS percent_of_tier, fallback_calls,
  round(context_tokens_per_call) AS context_per_call, latency_p50_ms, latency_p95_ms, first_token_p50_ms,
  round(100 * quota_share, 1) AS percent_of_quota, cost_usd, list_usd
FROM mart.tier_usage
WHERE window_id = 'trailing_7d'
ORDER BY tier, calls DESC, category, model
