-- Calls that paid again for a prefix which the same session had in the same model's cache moments before: something at the
-- front of the prompt changes from call to call.
-- Grain: one row per call_id.
-- Columns:
--   call_id  the call that paid again
--   local_date  date in the configured time zone
--   started_at  start of the call (UTC)
--   agent_id  agent
--   session_id  session
--   session_key  session key; NULL when unknown
--   category  what the operator calls the work
--   provider  provider that served
--   model  model that served
--   ended_before_at  end of the call before (UTC)
--   cached_before_tokens  tokens that the call before read from or wrote to the cache
--   cache_read_tokens  tokens that this call read from it
--   rebilled_tokens  tokens of the prefix that this call paid for again
--   rebilled_usd  what they cost more at list prices than reads from the cache would have (USD); NULL when unpriced
SELECT
  g.call_id, g.local_date, g.started_at, g.agent_id, g.session_id, k.session_key, g.category, g.provider, g.model,
  g.ended_before_at, g.cached_before_tokens, g.cache_read_tokens, g.rebilled_tokens, g.rebilled_usd
FROM core.cache_gaps g
LEFT JOIN core.session_keys k ON k.agent_id = g.agent_id AND k.session_id = g.session_id
WHERE g.kind = 'broken'
