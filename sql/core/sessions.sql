-- Sessions with what they used over their whole life.
-- Grain: one row per (agent_id, session_id) with at least one model call.
-- Columns:
--   agent_id  agent
--   session_id  session
--   host  machine of the agent
--   session_key  session key; NULL when unknown
--   label  label of the session
--   session_type  what its key says it is: a main session with heartbeats in it stays main
--   trigger  human or autonomous
--   started_at  first call (UTC)
--   ended_at  end of the last call (UTC)
--   seconds  from first to last, whole seconds
--   turns  turns with a call
--   calls  model calls
--   total_tokens  reported tokens
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
SELECT
  c.agent_id,
  c.session_id,
  min(c.host) AS host,
  min(c.session_key) AS session_key,
  min(k.label) AS label,
  CASE WHEN min(k.key_type) = 'unknown' THEN min(c.session_type) ELSE min(k.key_type) END AS session_type,
  CASE WHEN min(k.key_type) IN ('main', 'dm', 'channel', 'named') THEN 'human' ELSE 'autonomous' END AS trigger,
  min(c.started_at) AS started_at,
  max(c.ended_at) AS ended_at,
  CAST(
    extract(day FROM date_trunc('day', max(c.ended_at)) - date_trunc('day', min(c.started_at))) * 86400
    + (hour(max(c.ended_at)) - hour(min(c.started_at))) * 3600
    + (minute(max(c.ended_at)) - minute(min(c.started_at))) * 60
    + (second(max(c.ended_at)) - second(min(c.started_at))) AS BIGINT) AS seconds,
  count(DISTINCT c.turn_id) AS turns,
  count(*) FILTER (WHERE c.is_request) AS calls,
  CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS total_tokens,
  CAST(sum(c.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
  CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd
FROM core.calls c
LEFT JOIN core.session_keys k ON k.agent_id = c.agent_id AND k.session_id = c.session_id
WHERE c.session_id IS NOT NULL
GROUP BY c.agent_id, c.session_id
