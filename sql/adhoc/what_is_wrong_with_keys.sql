-- Which virtual keys are shared, nameless, idle, expiring, tried in vain or capped to no effect? (last 30 days)
SELECT
  finding, coalesce(key_alias, left(key_hash, 12)) AS key, agent_id, calls, agents, agent_keys, spend_usd,
  max_budget_usd, due_at, last_used_at
FROM mart.key_hygiene
ORDER BY priority, calls DESC, key, agent_id
