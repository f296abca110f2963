-- How near to its limits each deployment and pool came, by day: requests and tokens per minute against what is allowed.
-- Failed hops of fallbacks that were served, and retries, leave no row in spend logs: a throttled pool was asked more than
-- stands here, so the rejections stand beside. Minutes without a request are zeros: the P99 minute is the busiest one after
-- leaving out one in a hundred of the day's minutes (the 15th busiest of 1,440; a day can have 1,380 or 1,500). Of the
-- running day only the minutes so far count. Tokens count in the minute in which their request started.
-- Grain: one row per (local_date, scope, name) with a request or a rejection.
-- Columns:
--   local_date  date in the configured time zone
--   scope  deployment or pool
--   name  deployment id, or name of the pool
--   pool  pool that a deployment draws on; for a pool its own name
--   minutes  minutes of the day
--   used_minutes  of these, minutes with a request
--   requests  requests that reached it
--   tokens  reported tokens of these
--   rpm_limit  requests per minute allowed; NULL unknown
--   peak_rpm  requests in the busiest minute
--   p99_rpm  requests in the P99 minute
--   rpm_minutes_80  minutes at 80 % of the limit or more; NULL without a limit
--   rpm_minutes_100  minutes at the limit or beyond; NULL without a limit
--   tpm_limit  tokens per minute allowed; NULL unknown
--   peak_tpm  tokens in the busiest minute
--   p99_tpm  tokens in the P99 minute
--   tpm_minutes_80  minutes at 80 % of the limit or more; NULL without a limit
--   tpm_minutes_100  minutes at the limit or beyond; NULL without a limit
--   key_limit_rejections  requests refused by a limit of the key, user or team
--   deployment_limit_rejections  requests refused by LiteLLM's own limit of the deployment, or because all cooled down
--   vendor_rejections  requests that the provider refused with its rate limit
--   rpm_headroom  1 - p99_rpm / rpm_limit; NULL without a limit
--   tpm_headroom  1 - p99_tpm / tpm_limit; NULL without a limit
--   headroom  the smaller of both; NULL without any limit
WITH bounds AS (
  SELECT
    d.local_date, d.starts_at,
    CASE WHEN r.as_of > d.starts_at AND r.as_of < d.ends_at THEN r.as_of ELSE d.ends_at END AS ends_at
  FROM conf.days d
  CROSS JOIN conf.run r
),
days AS (
  SELECT
    b.local_date,
    greatest(CAST(
      extract(day FROM date_trunc('day', b.ends_at) - date_trunc('day', b.starts_at)) * 1440
      + (hour(b.ends_at) - hour(b.starts_at)) * 60
      + (minute(b.ends_at) - minute(b.starts_at))
      AS BIGINT), CAST(1 AS BIGINT)) AS minutes
  FROM bounds b
),
ranked AS (
  SELECT
    m.*,
    row_number() OVER (
      PARTITION BY m.scope, m.name, m.local_date ORDER BY m.requests DESC NULLS LAST, m.minute_at NULLS LAST
    ) AS rpm_position,
    row_number() OVER (
      PARTITION BY m.scope, m.name, m.local_date ORDER BY m.tokens DESC NULLS LAST, m.minute_at NULLS LAST
    ) AS tpm_position
  FROM core.pool_minutes m
),
placed AS (
  SELECT
    r.*, d.minutes,
    CAST(floor(CAST(d.minutes AS DOUBLE) / 100) AS BIGINT) + 1 AS p99_position,
    p.pool, p.rpm_limit, p.tpm_limit
  FROM ranked r
  JOIN days d ON d.local_date = r.local_date
  JOIN core.pools p ON p.scope = r.scope AND p.name = r.name
),
grouped AS (
  SELECT
    x.local_date, x.scope, x.name, x.pool, x.minutes, x.rpm_limit, x.tpm_limit,
    count(*) FILTER (WHERE x.requests > 0) AS used_minutes,
    CAST(sum(x.requests) AS BIGINT) AS requests,
    CAST(sum(x.tokens) AS BIGINT) AS tokens,
    max(x.requests) AS peak_rpm,
    coalesce(max(CASE WHEN x.rpm_position = x.p99_position THEN x.requests END), 0) AS p99_rpm,
    count(*) FILTER (WHERE x.requests * 5 >= x.rpm_limit * 4) AS rpm_minutes_80,
    count(*) FILTER (WHERE x.requests >= x.rpm_limit) AS rpm_minutes_100,
    max(x.tokens) AS peak_tpm,
    coalesce(max(CASE WHEN x.tpm_position = x.p99_position THEN x.tokens END), 0) AS p99_tpm,
    count(*) FILTER (WHERE x.tokens * 5 >= x.tpm_limit * 4) AS tpm_minutes_80,
    count(*) FILTER (WHERE x.tokens >= x.tpm_limit) AS tpm_minutes_100,
    CAST(sum(x.key_limit_rejections) AS BIGINT) AS key_limit_rejections,
    CAST(sum(x.deployment_limit_rejections) AS BIGINT) AS deployment_limit_rejections,
    CAST(sum(x.vendor_rejections) AS BIGINT) AS vendor_rejections
  FROM placed x
  GROUP BY x.local_date, x.scope, x.name, x.pool, x.minutes, x.rpm_limit, x.tpm_limit
),
measured AS (
  SELECT
    g.*,
    1 - CAST(g.p99_rpm AS DOUBLE) / nullif(CAST(g.rpm_limit AS DOUBLE), 0) AS rpm_headroom,
    1 - CAST(g.p99_tpm AS DOUBLE) / nullif(CAST(g.tpm_limit AS DOUBLE), 0) AS tpm_headroom
  FROM grouped g
)
SELECT
  h.local_date, h.scope, h.name, h.pool, h.minutes, h.used_minutes, h.requests, h.tokens,
  h.rpm_limit, h.peak_rpm, h.p99_rpm,
  CASE WHEN h.rpm_limit IS NOT NULL THEN h.rpm_minutes_80 END AS rpm_minutes_80,
  CASE WHEN h.rpm_limit IS NOT NULL THEN h.rpm_minutes_100 END AS rpm_minutes_100,
  h.tpm_limit, h.peak_tpm, h.p99_tpm,
  CASE WHEN h.tpm_limit IS NOT NULL THEN h.tpm_minutes_80 END AS tpm_minutes_80,
  CASE WHEN h.tpm_limit IS NOT NULL THEN h.tpm_minutes_100 END AS tpm_minutes_100,
  h.key_limit_rejections, h.deployment_limit_rejections, h.vendor_rejections,
  h.rpm_headroom, h.tpm_headroom,
  least(h.rpm_headroom, h.tpm_headroom) AS headroom
FROM measured h
