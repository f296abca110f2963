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
    -- The text of a time is the one portable way to its milliseconds.
    extract(day FROM date_trunc('day', g.ended_at) - date_trunc('day', g.started_at)) * 86400000
    + (hour(g.ended_at) - hour(g.started_at)) * 3600000
    + (minute(g.ended_at) - minute(g.started_at)) * 60000
    + (second(g.ended_at) - second(g.started_at)) * 1000
    + CAST(left(substring(CAST(g.ended_at AS STRING), 21, 3) || '000', 3) AS BIGINT)
    - CAST(left(substring(CAST(g.started_at AS STRING), 21, 3) || '000', 3) AS BIGINT) AS latency_ms,
    CASE WHEN g.first_token_at < g.ended_at THEN
      extract(day FROM date_trunc('day', g.first_token_at) - date_trunc('day', g.started_at)) * 86400000
      + (hour(g.first_token_at) - hour(g.started_at)) * 3600000
      + (minute(g.first_token_at) - minute(g.started_at)) * 60000
      + (second(g.first_token_at) - second(g.started_at)) * 1000
      + CAST(left(substring(CAST(g.first_token_at AS STRING), 21, 3) || '000', 3) AS BIGINT)
      - CAST(left(substring(CAST(g.started_at AS STRING), 21, 3) || '000', 3) AS BIGINT)
    END AS first_token_ms
  FROM core.calls c
  JOIN core.gateway_calls g ON g.request_id = c.request_id
  WHERE c.status = 'ok' AND c.is_request AND g.ended_at IS NOT NULL
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
