-- Who spends with which virtual key: spend, calls and failures per key and agent lane.
-- Only hashes and aliases are known. A call that no transcript explains stands in the lane of its key's alias.
-- Grain: one row per (window_id, key_hash, lane).
-- Columns:
--   window_id  window
--   key_hash  sha256 of the virtual key
--   key_alias  alias of the key; NULL when it has none
--   lane  whose work it is: the agent, else the lane or alias of the key
--   agent_id  the agent; NULL when only LiteLLM saw the calls
--   calls  model requests
--   error_calls  of these, failed or aborted
--   budget_rejections  of these, refused because a budget is spent
--   rate_limited_calls  of these, refused by a rate limit of the key, the deployment or the provider
--   total_tokens  reported tokens
--   spend_usd  LiteLLM's spend (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   spend_share  spend_usd of the window's spend, 0 to 1; NULL when that is zero
--   max_budget_usd  budget cap of the key; NULL when there is none
--   key_agents  agents that used the key in the window
--   agent_keys  keys that the agent used in the window; NULL when only LiteLLM saw the calls
WITH grouped AS (
  SELECT
    u.window_id, u.key_hash, u.lane,
    min(u.agent_id) AS agent_id,
    CAST(sum(u.calls) AS BIGINT) AS calls,
    CAST(sum(u.error_calls) AS BIGINT) AS error_calls,
    CAST(sum(u.budget_rejections) AS BIGINT) AS budget_rejections,
    CAST(sum(u.rate_limited_calls) AS BIGINT) AS rate_limited_calls,
    CAST(sum(u.total_tokens) AS BIGINT) AS total_tokens,
    CAST(coalesce(sum(u.spend_usd), 0) AS DECIMAL(28,12)) AS spend_usd,
    CAST(sum(u.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM core.window_model_usage u
  GROUP BY u.window_id, u.key_hash, u.lane
)
SELECT
  g.window_id, g.key_hash, k.key_alias, g.lane, g.agent_id, g.calls, g.error_calls, g.budget_rejections,
  g.rate_limited_calls, g.total_tokens, g.spend_usd, g.list_usd,
  CAST(g.spend_usd AS DOUBLE) / nullif(CAST(sum(g.spend_usd) OVER (PARTITION BY g.window_id) AS DOUBLE), 0) AS spend_share,
  k.max_budget_usd,
  count(g.agent_id) OVER (PARTITION BY g.window_id, g.key_hash) AS key_agents,
  CASE WHEN g.agent_id IS NOT NULL THEN count(*) OVER (PARTITION BY g.window_id, g.agent_id) END AS agent_keys
FROM grouped g
JOIN core.virtual_keys k ON k.key_hash = g.key_hash
