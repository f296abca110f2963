-- How much of the prompts came from the prompt cache, and what was paid again although it had been cached.
-- Broken caches: within the cache's lifetime the next call of a session paid again for a prefix it had cached before.
-- Expired ones: the next call came after the lifetime; for heartbeats that is what their spacing costs. Calls that only
-- LiteLLM saw have no session and count in the share only.
-- Grain: one row per (window_id, scope, agent_id, name).
-- Columns:
--   window_id  window
--   scope  category, session_type or session
--   agent_id  agent of the session; '' for the other scopes
--   name  category, session type or session id
--   calls  model requests
--   prompt_tokens  reported input tokens, cached ones included
--   cache_read_tokens  of these, read from the prompt cache
--   cache_write_tokens  of these, written to it
--   cache_read_share  cache_read_tokens of prompt_tokens, 0 to 1; NULL without tokens
--   broken_caches  calls that paid again within the lifetime, same model
--   broken_tokens  tokens they paid for again
--   broken_usd  what that cost more than the cache (USD at list prices); NULL when unpriced
--   other_model_caches  calls that paid again because another model served
--   other_model_usd  the same in money
--   expired_caches  calls that paid again because the lifetime was over
--   expired_tokens  tokens they paid for again
--   expired_usd  the same in money
WITH usage AS (
  SELECT u.window_id, 'category' AS scope, '' AS agent_id, u.category AS name, u.calls, u.input_tokens,
    u.cache_read_tokens, u.cache_write_tokens
  FROM core.window_usage u
  WHERE NOT u.is_previous
  UNION ALL
  SELECT u.window_id, 'session_type', '', u.session_type, u.calls, u.input_tokens, u.cache_read_tokens, u.cache_write_tokens
  FROM core.window_usage u
  WHERE NOT u.is_previous
  UNION ALL
  SELECT u.window_id, 'session', u.agent_id, u.session_id, u.calls, u.input_tokens, u.cache_read_tokens, u.cache_write_tokens
  FROM core.window_usage u
  WHERE NOT u.is_previous AND u.session_id IS NOT NULL
),
shares AS (
  SELECT
    u.window_id, u.scope, u.agent_id, u.name,
    CAST(sum(u.calls) AS BIGINT) AS calls,
    CAST(sum(u.input_tokens + u.cache_read_tokens + u.cache_write_tokens) AS BIGINT) AS prompt_tokens,
    CAST(sum(u.cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(sum(u.cache_write_tokens) AS BIGINT) AS cache_write_tokens
  FROM usage u
  GROUP BY u.window_id, u.scope, u.agent_id, u.name
),
windowed AS (
  SELECT w.window_id, g.kind, g.agent_id, g.session_id, g.category, g.session_type, g.rebilled_tokens, g.rebilled_usd
  FROM core.windows w
  JOIN core.cache_gaps g ON g.started_at >= w.starts_at AND g.started_at < w.ends_at
),
gaps AS (
  SELECT g.window_id, 'category' AS scope, '' AS agent_id, g.category AS name, g.kind, g.rebilled_tokens, g.rebilled_usd
  FROM windowed g
  UNION ALL
  SELECT g.window_id, 'session_type', '', g.session_type, g.kind, g.rebilled_tokens, g.rebilled_usd
  FROM windowed g
  UNION ALL
  SELECT g.window_id, 'session', g.agent_id, g.session_id, g.kind, g.rebilled_tokens, g.rebilled_usd
  FROM windowed g
),
losses AS (
  SELECT
    g.window_id, g.scope, g.agent_id, g.name,
    count(*) FILTER (WHERE g.kind = 'broken') AS broken_caches,
    sum(CASE WHEN g.kind = 'broken' THEN g.rebilled_tokens END) AS broken_tokens,
    sum(CASE WHEN g.kind = 'broken' THEN g.rebilled_usd END) AS broken_usd,
    count(*) FILTER (WHERE g.kind = 'other_model') AS other_model_caches,
    sum(CASE WHEN g.kind = 'other_model' THEN g.rebilled_usd END) AS other_model_usd,
    count(*) FILTER (WHERE g.kind = 'expired') AS expired_caches,
    sum(CASE WHEN g.kind = 'expired' THEN g.rebilled_tokens END) AS expired_tokens,
    sum(CASE WHEN g.kind = 'expired' THEN g.rebilled_usd END) AS expired_usd
  FROM gaps g
  GROUP BY g.window_id, g.scope, g.agent_id, g.name
)
SELECT
  s.window_id, s.scope, s.agent_id, s.name, s.calls, s.prompt_tokens, s.cache_read_tokens, s.cache_write_tokens,
  CAST(s.cache_read_tokens AS DOUBLE) / nullif(CAST(s.prompt_tokens AS DOUBLE), 0) AS cache_read_share,
  coalesce(l.broken_caches, 0) AS broken_caches,
  CAST(coalesce(l.broken_tokens, 0) AS BIGINT) AS broken_tokens,
  CAST(l.broken_usd AS DECIMAL(28,12)) AS broken_usd,
  coalesce(l.other_model_caches, 0) AS other_model_caches,
  CAST(l.other_model_usd AS DECIMAL(28,12)) AS other_model_usd,
  coalesce(l.expired_caches, 0) AS expired_caches,
  CAST(coalesce(l.expired_tokens, 0) AS BIGINT) AS expired_tokens,
  CAST(l.expired_usd AS DECIMAL(28,12)) AS expired_usd
FROM shares s
LEFT JOIN losses l
  ON l.window_id = s.window_id AND l.scope = s.scope AND l.agent_id = s.agent_id AND l.name = s.name
