-- Calls of a session that paid again for a prompt prefix that was in the prompt cache before.
-- The call before in the session had read or written so many tokens in the cache; this call's prompt is at least as long and
-- read fewer of them. Under 1,024 tokens (the smallest prompt that providers cache) nothing is counted. A cache lives 5
-- minutes, or an hour when the call before wrote some of it for an hour. broken: within the lifetime, same model.
-- other_model: within the lifetime, but another model has another cache. expired: the lifetime was over.
-- Grain: one row per call_id that paid again.
-- Columns:
--   call_id  the call that paid again
--   kind  broken, other_model or expired
--   agent_id  agent
--   session_id  session
--   category  what the operator calls the work
--   session_type  session type
--   started_at  start of the call (UTC)
--   local_date  date in the configured time zone
--   provider  provider that served
--   model  model that served
--   model_before  model of the call before
--   ended_before_at  end of the call before (UTC)
--   cached_before_tokens  tokens that the call before read from or wrote to the cache
--   cache_read_tokens  tokens that this call read from it
--   rebilled_tokens  tokens of the prefix that this call paid for again
--   rebilled_usd  what they cost more at list prices than reads from the cache would have (USD); NULL when unpriced
WITH ordered AS (
  SELECT
    c.call_id, c.started_at, c.model, c.input_tokens, c.cache_read_tokens, c.cache_write_tokens,
    lag(c.cache_read_tokens + c.cache_write_tokens) OVER session_order AS cached_before_tokens,
    lag(c.cache_write_1h_tokens) OVER session_order AS written_1h_before,
    lag(coalesce(c.ended_at, c.started_at)) OVER session_order AS ended_before_at,
    lag(c.model) OVER session_order AS model_before
  FROM core.calls c
  WHERE c.session_id IS NOT NULL AND c.tokens_basis = 'reported' AND c.status = 'ok' AND c.local_date IS NOT NULL
  WINDOW session_order AS (
    PARTITION BY c.agent_id, c.session_id ORDER BY c.started_at NULLS FIRST, c.call_id NULLS FIRST
  )
),
lost AS (
  SELECT
    o.*,
    least(o.cached_before_tokens - o.cache_read_tokens, o.input_tokens + o.cache_write_tokens) AS rebilled_tokens
  FROM ordered o
  WHERE o.input_tokens + o.cache_read_tokens + o.cache_write_tokens >= o.cached_before_tokens
    AND o.cached_before_tokens - o.cache_read_tokens >= 1024
),
kinds AS (
  SELECT
    l.*,
    least(l.rebilled_tokens, l.cache_write_tokens) AS rewritten_tokens,
    CASE
      WHEN l.started_at > l.ended_before_at
        + CASE WHEN l.written_1h_before > 0 THEN 60 ELSE 5 END * INTERVAL '1' MINUTE THEN 'expired'
      WHEN l.model IS DISTINCT FROM l.model_before THEN 'other_model'
      ELSE 'broken'
    END AS kind
  FROM lost l
)
SELECT
  k.call_id, k.kind, c.agent_id, c.session_id, c.category, c.session_type, c.started_at, c.local_date, c.provider, c.model,
  k.model_before, k.ended_before_at, k.cached_before_tokens, k.cache_read_tokens, k.rebilled_tokens,
  CAST(
    CAST(p.cache_write_price * CAST(k.rewritten_tokens AS DECIMAL(19,0)) AS DECIMAL(18,12))
    + CAST(p.input_price * CAST(k.rebilled_tokens - k.rewritten_tokens AS DECIMAL(19,0)) AS DECIMAL(18,12))
    - CAST(p.cache_read_price * CAST(k.rebilled_tokens AS DECIMAL(19,0)) AS DECIMAL(18,12))
    AS DECIMAL(18,12)) AS rebilled_usd
FROM kinds k
-- Few calls paid again: what else is shown of them need not be sorted with all calls.
JOIN core.calls c ON c.call_id = k.call_id
LEFT JOIN core.list_prices p
  ON p.provider = coalesce(c.provider, '')
  AND p.model = coalesce(c.model, '')
  AND c.local_date >= p.valid_from AND c.local_date < p.valid_to
  AND k.input_tokens + k.cache_read_tokens + k.cache_write_tokens >= p.min_prompt_tokens
  AND k.input_tokens + k.cache_read_tokens + k.cache_write_tokens < p.max_prompt_tokens
