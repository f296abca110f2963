-- How much comes from the prompt cache, where does it break, and what do pauses beyond its lifetime cost? (last 7 days)
SELECT
  scope, agent_id, name, calls, round(100 * cache_read_share, 1) AS cached_percent, broken_caches, broken_usd,
  other_model_caches, other_model_usd, expired_caches, expired_usd
FROM mart.cache_efficiency
WHERE window_id = 'trailing_7d' AND (scope <> 'session' OR broken_caches + other_model_caches + expired_caches > 0)
ORDER BY scope, coalesce(broken_usd, 0) + coalesce(other_model_usd, 0) + coalesce(expired_usd, 0) DESC, name, agent_id
