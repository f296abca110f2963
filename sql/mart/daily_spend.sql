-- What each day cost beside what its weekday and the weeks before it let expect, and how unusual the difference is.
-- Expected is the level of the 28 days before (the median of costs divided by the factor of their weekday) times the factor of
-- the day's own weekday (its median over that of all days, in the 56 days before). z counts robust standard deviations: 1.4826
-- times the median distance of those of the 28 days that were at the level or above (costs are skewed: below it they lie
-- closer), at least a tenth of the level and a cent. All days are in the money that the last 7 days are ranked by.
-- Grain: one row per local_date, from the first day with a call to the running one.
-- Columns:
--   local_date  date in the configured time zone
--   starts_at  its first moment (UTC)
--   is_complete  whether it has ended
--   rank_basis  cost or list: which money it is
--   usd  what the day cost so far (USD)
--   history_days  days before it that the expectation knows, at most 56
--   weekday_factor  what the weekday costs over an ordinary day; 1 with fewer than three of it
--   level_usd  what an ordinary day cost of late (USD); NULL on the first 14 days
--   expected_usd  level_usd times weekday_factor (USD); NULL on the first 14 days
--   z  how far above (below: negative) the expectation, in robust standard deviations; NULL on the first 14 days
--   is_unusual  z, and the distance in USD and as a share of expected_usd, all reach conf.alert_thresholds
WITH costs AS (
  SELECT
    c.local_date,
    CAST(sum(c.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM mart.daily_cost c
  GROUP BY c.local_date
),
days AS (
  SELECT
    d.local_date, d.starts_at,
    d.ends_at <= r.as_of AS is_complete,
    w.rank_basis,
    mod(row_number() OVER (ORDER BY d.local_date NULLS LAST), 7) AS weekday,
    coalesce(CAST(CASE WHEN w.rank_basis = 'list' THEN c.list_usd ELSE c.cost_usd END AS DOUBLE), CAST(0 AS DOUBLE)) AS usd
  FROM conf.days d
  CROSS JOIN conf.run r
  JOIN core.windows w ON w.window_id = 'trailing_7d'
  JOIN (SELECT min(f.local_date) AS local_date FROM costs f) b ON d.local_date >= b.local_date
  LEFT JOIN costs c ON c.local_date = d.local_date
  WHERE d.starts_at <= r.as_of
),
history AS (
  SELECT d.local_date, h.local_date AS before_date, h.weekday, h.usd
  FROM days d
  JOIN days h ON h.local_date < d.local_date AND h.local_date >= CAST(d.local_date - INTERVAL '56' DAY AS DATE)
),
ordinary AS (
  SELECT h.local_date, count(*) AS history_days, median(h.usd) AS usd
  FROM history h
  GROUP BY h.local_date
),
weekdays AS (
  SELECT h.local_date, h.weekday, count(*) AS seen, median(h.usd) AS usd
  FROM history h
  GROUP BY h.local_date, h.weekday
),
factors AS (
  SELECT
    w.local_date, w.weekday,
    -- a weekday on which nothing happens must not make the little that does look endless
    CASE WHEN w.seen >= 3 AND o.usd > 0 THEN greatest(w.usd / nullif(o.usd, 0), CAST(0.2 AS DOUBLE))
      ELSE CAST(1 AS DOUBLE) END AS factor
  FROM weekdays w
  JOIN ordinary o ON o.local_date = w.local_date
),
adjusted AS (
  SELECT h.local_date, h.usd / nullif(f.factor, 0) AS usd
  FROM history h
  JOIN factors f ON f.local_date = h.local_date AND f.weekday = h.weekday
  WHERE h.before_date >= CAST(h.local_date - INTERVAL '28' DAY AS DATE)
),
levels AS (
  SELECT a.local_date, median(a.usd) AS usd
  FROM adjusted a
  GROUP BY a.local_date
),
scales AS (
  SELECT
    a.local_date, l.usd AS level_usd,
    greatest(median(CASE WHEN a.usd >= l.usd THEN a.usd - l.usd END) * 1.4826, l.usd * 0.1, CAST(0.01 AS DOUBLE)) AS scale_usd
  FROM adjusted a
  JOIN levels l ON l.local_date = a.local_date
  GROUP BY a.local_date, l.usd
),
known AS (
  SELECT o.local_date, o.history_days, s.level_usd, s.scale_usd
  FROM ordinary o
  JOIN scales s ON s.local_date = o.local_date
  WHERE o.history_days >= 14
),
judged AS (
  SELECT
    d.local_date, d.starts_at, d.is_complete, d.rank_basis, d.usd,
    coalesce(o.history_days, 0) AS history_days,
    coalesce(f.factor, CAST(1 AS DOUBLE)) AS weekday_factor,
    k.level_usd,
    k.level_usd * coalesce(f.factor, CAST(1 AS DOUBLE)) AS expected_usd,
    (d.usd / nullif(coalesce(f.factor, CAST(1 AS DOUBLE)), 0) - k.level_usd) / nullif(k.scale_usd, 0) AS z
  FROM days d
  LEFT JOIN ordinary o ON o.local_date = d.local_date
  LEFT JOIN factors f ON f.local_date = d.local_date AND f.weekday = d.weekday
  LEFT JOIN known k ON k.local_date = d.local_date
)
SELECT
  j.*,
  coalesce(
    j.z >= t.spend_z
      AND j.usd >= j.expected_usd + t.spend_floor_usd
      AND j.usd >= j.expected_usd * (1 + t.spend_share),
    false
  ) AS is_unusual
FROM judged j
CROSS JOIN conf.alert_thresholds t
