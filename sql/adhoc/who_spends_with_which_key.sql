-- Who spends with which virtual key, and what failed? (last 7 days)
SELECT
  coalesce(key_alias, left(key_hash, 12)) AS key, lane, calls, error_calls, budget_rejections, rate_limited_calls,
  total_tokens, spend_usd, round(100 * spend_share, 1) AS spend_percent, max_budget_usd, key_agents, agent_keys
FROM mart.key_attribution
WHERE window_id = 'trailing_7d'
ORDER BY spend_usd DESC, calls DESC, key, lane
