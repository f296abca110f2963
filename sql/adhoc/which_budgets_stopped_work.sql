-- Which spent budgets stopped which work, and what did the agent take it for?
SELECT
  first_at, last_at, coalesce(key_alias, left(key_hash, 12)) AS key, rejections, limit_usd, spend_at_usd,
  top_category, top_model_group, agent_error_kind AS agent_saw, error_lines, key_agents, budget_reset_at
FROM mart.budget_incidents
ORDER BY first_at DESC, key
