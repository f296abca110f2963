-- How fast the money of each budget goes, hour by hour: 1 is a pace at which it lasts exactly until its period ends.
-- A spend budget is meant to be spent, so only a clear multiple over a short time is worth an alert (conf.alert_thresholds).
-- The running hour counts as a whole one.
-- Grain: one row per (budget, hour_at) of the 28 days up to now.
-- Columns:
--   budget  name of the budget
--   hour_at  the hour (UTC)
--   usd  spent in it (USD)
--   usd_6h  spent in the 6 hours that end with it (USD)
--   usd_24h  spent in 24 hours (USD)
--   usd_7d  spent in 7 days (USD)
--   pace_6h  usd_6h over what the budget allows in 6 hours
--   pace_24h  the same over 24 hours
--   pace_7d  the same over 7 days
--   span  6 h, 24 h or 7 d: the shortest over which the pace reaches conf.alert_thresholds; NULL when none does
WITH spent AS (
  SELECT
    CAST(date_trunc('hour', c.started_at) AS TIMESTAMP) AS hour_at,
    c.lane,
    CAST(sum(c.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM core.calls c
  GROUP BY CAST(date_trunc('hour', c.started_at) AS TIMESTAMP), c.lane
),
hours AS (
  SELECT
    b.name AS budget, h.starts_at AS hour_at, b.hourly_usd,
    CAST(coalesce(sum(CASE WHEN b.basis = 'list' THEN s.list_usd ELSE s.cost_usd END), 0) AS DECIMAL(28,12)) AS usd
  FROM conf.budgets b
  CROSS JOIN conf.run r
  JOIN conf.hours h ON h.starts_at <= r.as_of
  LEFT JOIN spent s ON s.hour_at = h.starts_at AND (b.lane IS NULL OR s.lane = b.lane)
  GROUP BY b.name, h.starts_at, b.hourly_usd
),
running AS (
  SELECT
    h.budget, h.hour_at, h.hourly_usd, h.usd,
    CAST(sum(h.usd) OVER (
      PARTITION BY h.budget ORDER BY h.hour_at NULLS LAST ROWS BETWEEN 5 PRECEDING AND CURRENT ROW
    ) AS DECIMAL(28,12)) AS usd_6h,
    CAST(sum(h.usd) OVER (
      PARTITION BY h.budget ORDER BY h.hour_at NULLS LAST ROWS BETWEEN 23 PRECEDING AND CURRENT ROW
    ) AS DECIMAL(28,12)) AS usd_24h,
    CAST(sum(h.usd) OVER (
      PARTITION BY h.budget ORDER BY h.hour_at NULLS LAST ROWS BETWEEN 167 PRECEDING AND CURRENT ROW
    ) AS DECIMAL(28,12)) AS usd_7d
  FROM hours h
),
paced AS (
  SELECT
    p.budget, p.hour_at, p.usd, p.usd_6h, p.usd_24h, p.usd_7d,
    CAST(p.usd_6h AS DOUBLE) / nullif(p.hourly_usd * 6, 0) AS pace_6h,
    CAST(p.usd_24h AS DOUBLE) / nullif(p.hourly_usd * 24, 0) AS pace_24h,
    CAST(p.usd_7d AS DOUBLE) / nullif(p.hourly_usd * 168, 0) AS pace_7d
  FROM running p
  CROSS JOIN conf.run r
  WHERE p.hour_at > r.as_of - INTERVAL '28' DAY
)
SELECT
  q.*,
  CASE
    WHEN q.pace_6h >= t.pace_6h THEN '6 h'
    WHEN q.pace_24h >= t.pace_24h THEN '24 h'
    WHEN q.pace_7d >= t.pace_7d THEN '7 d'
  END AS span
FROM paced q
CROSS JOIN conf.alert_thresholds t
