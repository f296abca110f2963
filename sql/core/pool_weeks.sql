-- The P99 minute of each complete week, per deployment and pool, from its first week of use on.
-- The P99 minute is the busiest one after leaving out one in a hundred of the week's minutes; minutes without a request are
-- zeros, weeks without one too. A week of 10,080 minutes leaves out 100: its P99 is the 101st busiest minute.
-- Grain: one row per (scope, name, local_week).
-- Columns:
--   scope  deployment or pool
--   name  deployment id, or name of the pool
--   local_week  ISO week in the configured time zone
--   week_number  1 for the first week of use
--   requests  requests in the week
--   p99_rpm  requests in the P99 minute
--   p99_tpm  tokens in the P99 minute
WITH weeks AS (
  SELECT
    w.window_id, w.starts_at,
    CAST(floor(w.hours * 60 / 100) AS BIGINT) + 1 AS p99_position
  FROM core.windows w
  WHERE w.kind = 'iso_week' AND w.is_complete
),
ranked AS (
  SELECT
    m.scope, m.name, m.local_week, m.requests, m.tokens,
    row_number() OVER (
      PARTITION BY m.scope, m.name, m.local_week ORDER BY m.requests DESC NULLS LAST, m.minute_at NULLS LAST
    ) AS rpm_position,
    row_number() OVER (
      PARTITION BY m.scope, m.name, m.local_week ORDER BY m.tokens DESC NULLS LAST, m.minute_at NULLS LAST
    ) AS tpm_position
  FROM core.pool_minutes m
),
used AS (
  SELECT
    r.scope, r.name, r.local_week,
    CAST(sum(r.requests) AS BIGINT) AS requests,
    max(CASE WHEN r.rpm_position = w.p99_position THEN r.requests END) AS p99_rpm,
    max(CASE WHEN r.tpm_position = w.p99_position THEN r.tokens END) AS p99_tpm
  FROM ranked r
  JOIN weeks w ON w.window_id = r.local_week
  GROUP BY r.scope, r.name, r.local_week
),
firsts AS (
  SELECT u.scope, u.name, min(w.starts_at) AS first_starts_at
  FROM used u
  JOIN weeks w ON w.window_id = u.local_week
  GROUP BY u.scope, u.name
)
SELECT
  f.scope, f.name, w.window_id AS local_week,
  row_number() OVER (PARTITION BY f.scope, f.name ORDER BY w.starts_at NULLS LAST) AS week_number,
  coalesce(u.requests, 0) AS requests,
  coalesce(u.p99_rpm, 0) AS p99_rpm,
  coalesce(u.p99_tpm, 0) AS p99_tpm
FROM firsts f
JOIN weeks w ON w.starts_at >= f.first_starts_at
LEFT JOIN used u ON u.scope = f.scope AND u.name = f.name AND u.local_week = w.window_id
