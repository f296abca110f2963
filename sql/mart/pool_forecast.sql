-- Which pool runs into its limit when, and which could take load: the last 7 days and the trend of the weeks.
-- The trend is the Theil-Sen line through the P99 minutes of the last 12 complete weeks: the median of the slopes between
-- any two weeks, which single bad weeks do not bend. Under six weeks there is no forecast, nor when use does not grow.
-- What spend logs do not hold (failed hops, retries) is missing here too.
-- Grain: one row per (scope, name), also without use.
-- Columns:
--   scope  deployment or pool
--   name  deployment id, or name of the pool
--   pool  pool that a deployment draws on; for a pool its own name
--   requests_7d  requests that reached it in the last 7 days
--   rejections_7d  requests that a limit of it or of its provider refused in the last 7 days
--   rpm_limit  requests per minute allowed; NULL unknown
--   p99_rpm_7d  requests in the P99 minute of the last 7 days
--   spare_rpm  rpm_limit minus p99_rpm_7d; NULL without a limit
--   tpm_limit  tokens per minute allowed; NULL unknown
--   p99_tpm_7d  tokens in the P99 minute of the last 7 days
--   spare_tpm  tpm_limit minus p99_tpm_7d; NULL without a limit
--   headroom_7d  the smaller of the two shares that are left, 0 to 1, below 0 beyond the limit; NULL without any limit
--   could_take_load  headroom_7d is at least 0.2 and nothing was refused; NULL without any limit
--   weeks  complete weeks since its first use
--   rpm_per_week  how much the P99 requests per minute grow in a week; NULL under six weeks
--   tpm_per_week  how much the P99 tokens per minute grow in a week; NULL under six weeks
--   weeks_to_rpm_limit  weeks from the last complete one until the line meets rpm_limit, 0 when it has; NULL when it never does
--   weeks_to_tpm_limit  the same for tpm_limit
--   weeks_to_limit  the smaller of both; NULL when there is no forecast
WITH recent AS (
  SELECT
    m.scope, m.name, m.requests, m.tokens,
    m.deployment_limit_rejections + m.vendor_rejections AS rejections,
    row_number() OVER (
      PARTITION BY m.scope, m.name ORDER BY m.requests DESC NULLS LAST, m.minute_at NULLS LAST
    ) AS rpm_position,
    row_number() OVER (
      PARTITION BY m.scope, m.name ORDER BY m.tokens DESC NULLS LAST, m.minute_at NULLS LAST
    ) AS tpm_position
  FROM core.pool_minutes m
  JOIN core.windows w ON m.minute_at >= w.starts_at AND m.minute_at < w.ends_at
  WHERE w.kind = 'trailing'
),
last_days AS (
  -- 7 days have 10,080 minutes: the P99 minute is the 101st busiest
  SELECT
    r.scope, r.name,
    CAST(sum(r.requests) AS BIGINT) AS requests,
    CAST(sum(r.rejections) AS BIGINT) AS rejections,
    max(CASE WHEN r.rpm_position = 101 THEN r.requests END) AS p99_rpm,
    max(CASE WHEN r.tpm_position = 101 THEN r.tokens END) AS p99_tpm
  FROM recent r
  GROUP BY r.scope, r.name
),
numbered AS (
  SELECT
    k.scope, k.name, k.p99_rpm, k.p99_tpm, k.week_number,
    max(k.week_number) OVER (PARTITION BY k.scope, k.name) AS weeks
  FROM core.pool_weeks k
),
points AS (
  SELECT
    n.scope, n.name, n.weeks,
    CAST(n.week_number AS DOUBLE) AS x,
    CAST(n.p99_rpm AS DOUBLE) AS rpm,
    CAST(n.p99_tpm AS DOUBLE) AS tpm
  FROM numbered n
  WHERE n.weeks >= 6 AND n.week_number > n.weeks - 12
),
slopes AS (
  -- each pair of weeks twice, a week with itself not at all (NULL): the median is the same
  SELECT
    a.scope, a.name,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY (b.rpm - a.rpm) / nullif(b.x - a.x, 0)) AS rpm_slope,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY (b.tpm - a.tpm) / nullif(b.x - a.x, 0)) AS tpm_slope
  FROM points a
  JOIN points b ON b.scope = a.scope AND b.name = a.name
  GROUP BY a.scope, a.name
),
lines AS (
  SELECT
    p.scope, p.name, s.rpm_slope, s.tpm_slope,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY p.rpm - s.rpm_slope * (p.x - CAST(p.weeks AS DOUBLE))) AS rpm_now,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY p.tpm - s.tpm_slope * (p.x - CAST(p.weeks AS DOUBLE))) AS tpm_now
  FROM points p
  JOIN slopes s ON s.scope = p.scope AND s.name = p.name
  GROUP BY p.scope, p.name, s.rpm_slope, s.tpm_slope
),
histories AS (
  SELECT n.scope, n.name, max(n.weeks) AS weeks
  FROM numbered n
  GROUP BY n.scope, n.name
),
measured AS (
  SELECT
    c.scope, c.name, c.pool,
    coalesce(d.requests, 0) AS requests_7d,
    coalesce(d.rejections, 0) AS rejections_7d,
    c.rpm_limit,
    coalesce(d.p99_rpm, 0) AS p99_rpm_7d,
    c.tpm_limit,
    coalesce(d.p99_tpm, 0) AS p99_tpm_7d,
    least(
      1 - CAST(coalesce(d.p99_rpm, 0) AS DOUBLE) / nullif(CAST(c.rpm_limit AS DOUBLE), 0),
      1 - CAST(coalesce(d.p99_tpm, 0) AS DOUBLE) / nullif(CAST(c.tpm_limit AS DOUBLE), 0)
    ) AS headroom_7d,
    coalesce(h.weeks, 0) AS weeks,
    l.rpm_slope, l.tpm_slope,
    CASE WHEN l.rpm_slope > 0 THEN (CAST(c.rpm_limit AS DOUBLE) - l.rpm_now) / nullif(l.rpm_slope, 0) END AS rpm_weeks,
    CASE WHEN l.tpm_slope > 0 THEN (CAST(c.tpm_limit AS DOUBLE) - l.tpm_now) / nullif(l.tpm_slope, 0) END AS tpm_weeks
  FROM core.pools c
  LEFT JOIN last_days d ON d.scope = c.scope AND d.name = c.name
  LEFT JOIN histories h ON h.scope = c.scope AND h.name = c.name
  LEFT JOIN lines l ON l.scope = c.scope AND l.name = c.name
)
SELECT
  m.scope, m.name, m.pool, m.requests_7d, m.rejections_7d,
  m.rpm_limit, m.p99_rpm_7d, m.rpm_limit - m.p99_rpm_7d AS spare_rpm,
  m.tpm_limit, m.p99_tpm_7d, m.tpm_limit - m.p99_tpm_7d AS spare_tpm,
  m.headroom_7d,
  m.headroom_7d >= 0.2 AND m.rejections_7d = 0 AS could_take_load,
  m.weeks,
  m.rpm_slope AS rpm_per_week,
  m.tpm_slope AS tpm_per_week,
  CASE WHEN m.rpm_weeks < 0 THEN CAST(0 AS DOUBLE) ELSE m.rpm_weeks END AS weeks_to_rpm_limit,
  CASE WHEN m.tpm_weeks < 0 THEN CAST(0 AS DOUBLE) ELSE m.tpm_weeks END AS weeks_to_tpm_limit,
  least(
    CASE WHEN m.rpm_weeks < 0 THEN CAST(0 AS DOUBLE) ELSE m.rpm_weeks END,
    CASE WHEN m.tpm_weeks < 0 THEN CAST(0 AS DOUBLE) ELSE m.tpm_weeks END
  ) AS weeks_to_limit
FROM measured m
