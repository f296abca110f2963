-- What is wrong with virtual keys: shared, doubled, nameless, idle, expiring, tried in vain, capped to no effect.
-- Use counts in the 30 days up to now. Only hashes and aliases are known and shown. A cap never stops calls to models whose
-- price is zero; an uncapped key with priced models has nothing to stop it.
-- Grain: one row per (finding, key_hash, agent_id); agent_id is '' except for several_keys.
-- Columns:
--   finding  master_key, unknown_key_tried, blocked_key_tried, expired_key_tried, uncapped_but_priced, capped_but_free,
--         shared_key, several_keys, expiring, no_alias or unused
--   priority  1 is the worst
--   key_hash  sha256 of the virtual key
--   key_alias  alias; NULL when it has none
--   agent_id  agent with several keys; '' for the other findings
--   calls  requests in the 30 days that show it; 0 for expiring and unused
--   agents  agents known to use the key
--   agent_keys  keys in use that are the agent's; NULL except for several_keys
--   spend_usd  spend of the key in the 30 days (USD)
--   max_budget_usd  budget cap of the key; NULL when there is none
--   due_at  expiring: when it expires (UTC)
--   last_used_at  last use (UTC); NULL when never
WITH doubled AS (
  SELECT o.agent_id, o.key_hash, count(*) OVER (PARTITION BY o.agent_id) AS agent_keys
  FROM core.key_owners o
  JOIN core.key_facts f ON f.key_hash = o.key_hash
  WHERE f.is_used
),
found AS (
  SELECT 'master_key' AS finding, CAST(1 AS BIGINT) AS priority, f.key_hash, '' AS agent_id, f.calls
  FROM core.key_facts f
  WHERE f.key_hash = 'litellm_proxy_master_key'
  UNION ALL
  SELECT 'unknown_key_tried', CAST(2 AS BIGINT), f.key_hash, '', f.unknown_calls
  FROM core.key_facts f
  WHERE f.unknown_calls > 0
  UNION ALL
  SELECT 'blocked_key_tried', CAST(3 AS BIGINT), f.key_hash, '', f.blocked_calls
  FROM core.key_facts f
  WHERE f.blocked_calls > 0
  UNION ALL
  SELECT 'expired_key_tried', CAST(4 AS BIGINT), f.key_hash, '', f.expired_calls
  FROM core.key_facts f
  WHERE f.expired_calls > 0
  UNION ALL
  SELECT 'uncapped_but_priced', CAST(5 AS BIGINT), f.key_hash, '', f.priced_calls
  FROM core.key_facts f
  WHERE f.is_listed AND f.max_budget_usd IS NULL AND f.priced_calls > 0
  UNION ALL
  SELECT 'capped_but_free', CAST(6 AS BIGINT), f.key_hash, '', f.free_calls
  FROM core.key_facts f
  WHERE f.max_budget_usd IS NOT NULL AND f.free_calls > 0
  UNION ALL
  SELECT 'shared_key', CAST(7 AS BIGINT), f.key_hash, '', f.calls
  FROM core.key_facts f
  WHERE f.agents > 1
  UNION ALL
  SELECT 'several_keys', CAST(8 AS BIGINT), f.key_hash, d.agent_id, f.calls
  FROM doubled d
  JOIN core.key_facts f ON f.key_hash = d.key_hash
  WHERE d.agent_keys > 1
  UNION ALL
  SELECT 'expiring', CAST(9 AS BIGINT), f.key_hash, '', CAST(0 AS BIGINT)
  FROM core.key_facts f
  WHERE f.expires_at >= f.as_of AND f.expires_at < f.as_of + INTERVAL '14' DAY
  UNION ALL
  SELECT 'no_alias', CAST(10 AS BIGINT), f.key_hash, '', f.calls
  FROM core.key_facts f
  WHERE f.key_alias IS NULL AND f.key_hash NOT LIKE 'litellm%' AND f.ok_calls > 0
  UNION ALL
  SELECT 'unused', CAST(11 AS BIGINT), f.key_hash, '', CAST(0 AS BIGINT)
  FROM core.key_facts f
  WHERE f.is_listed AND NOT f.is_blocked AND coalesce(f.expires_at > f.as_of, true)
    AND coalesce(f.last_used_at, f.created_at) < f.as_of - INTERVAL '30' DAY
)
SELECT
  x.finding, x.priority, x.key_hash, f.key_alias, x.agent_id, x.calls, f.agents, d.agent_keys, f.spend_usd,
  f.max_budget_usd,
  CASE WHEN x.finding = 'expiring' THEN f.expires_at END AS due_at,
  f.last_used_at
FROM found x
JOIN core.key_facts f ON f.key_hash = x.key_hash
LEFT JOIN doubled d ON d.key_hash = x.key_hash AND d.agent_id = x.agent_id
WHERE f.is_used OR x.finding IN ('expiring', 'unused')
