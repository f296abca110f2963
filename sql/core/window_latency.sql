-- How long calls took per window, kind of work, tier and model: percentiles do not add up, so they are made at the grain
-- that mart.tier_usage shows.
-- Only successful requests that LiteLLM timed count. A call of the gateway takes from receiving the request to the end of
-- the response, retries and fallback hops included. The first token is known of streams only: where LiteLLM notes the end
-- of a response as its first token, the call was no stream.
-- Grain: one row per (window_id, category, tier, provider, model).
-- Columns:
--   window_id  window
--   category  what the operator calls the work
--   tier  tier asked for, or none
--   provider  provider that served; '' when unknown
--   model  model that served; '' when unknown
--   timed_calls  calls with a duration
--   latency_p50_ms  half of them took at most this long (milliseconds)
--   latency_p95_ms  95 of 100 took at most this long (milliseconds)
--   streamed_calls  calls whose first token came before their end
--   first_token_p50_ms  half of these began to answer within (milliseconds)
WITH timed AS (
  SELECT
    c.started_at, c.local_week, c.category,
    coalesce(c.requested_tier, 'none') AS tier,
    coalesce(c.provider, '') AS provider,
    coalesce(c.model, '') AS model,
    c.latency_ms, c.first_token_ms
  FROM core.calls c
  WHERE c.status = 'ok' AND c.is_request AND c.latency_ms IS NOT NULL
),
placed AS (
  SELECT w.window_id, t.category, t.tier, t.provider, t.model, t.latency_ms, t.first_token_ms
  FROM core.windows w
  JOIN timed t ON t.local_week = w.window_id
  UNION ALL
  SELECT w.window_id, t.category, t.tier, t.provider, t.model, t.latency_ms, t.first_token_ms
  FROM core.windows w
  JOIN timed t ON t.started_at >= w.starts_at AND t.started_at < w.ends_at
  WHERE w.kind <> 'iso_week'
)
SELECT
  p.window_id, p.category, p.tier, p.provider, p.model,
  count(*) AS timed_calls,
  CAST(round(percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(p.latency_ms AS DOUBLE))) AS BIGINT) AS latency_p50_ms,
  CAST(round(percentile_cont(0.95) WITHIN GROUP (ORDER BY CAST(p.latency_ms AS DOUBLE))) AS BIGINT) AS latency_p95_ms,
  count(p.first_token_ms) AS streamed_calls,
  CAST(round(percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(p.first_token_ms AS DOUBLE))) AS BIGINT) AS first_token_p50_ms
FROM placed p
GROUP BY p.window_id, p.category, p.tier, p.provider, p.model
