-- How far each machine's clock is from the gateway's, day by day, told by calls whose pair is certain without a clock.
-- Such are pairs by response id, and those of core.lone_pairs. A difference is believed when at least five calls tell it and
-- four of five agree within two seconds: the day's own, else that of all days, else none.
-- Grain: one row per (host, day) with transcript lines.
-- Columns:
--   host  machine of the agents
--   day  UTC day by the machine's clock
--   offset_seconds  what to add to the machine's time to get the gateway's
--   slack_seconds  how much less exact a corrected time is: 1 where a difference is applied, else 0
--   evidence  day, host or none: what the difference was taken from
--   samples  calls of the day that tell it
WITH sure AS (
  SELECT p.host, p.line_at, p.request_at
  FROM core.id_pairs p
  WHERE p.lines = 1 AND p.line_at IS NOT NULL AND p.request_at IS NOT NULL
  UNION ALL
  SELECT l.host, l.line_at, l.request_at
  FROM core.lone_pairs l
),
ordered AS (
  SELECT
    s.host, CAST(date_trunc('day', s.line_at) AS TIMESTAMP) AS day,
    least(s.line_at, s.request_at) AS earlier,
    greatest(s.line_at, s.request_at) AS later,
    CASE WHEN s.request_at >= s.line_at THEN CAST(1 AS BIGINT) ELSE CAST(-1 AS BIGINT) END AS sign
  FROM sure s
),
differences AS (
  SELECT
    o.host, o.day,
    o.sign * (
      extract(day FROM date_trunc('day', o.later) - date_trunc('day', o.earlier)) * 86400
      + (hour(o.later) - hour(o.earlier)) * 3600
      + (minute(o.later) - minute(o.earlier)) * 60
      + (second(o.later) - second(o.earlier))
    ) AS seconds
  FROM ordered o
),
day_middles AS (
  SELECT d.host, d.day, percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(d.seconds AS DOUBLE)) AS seconds
  FROM differences d
  GROUP BY d.host, d.day
),
host_middles AS (
  SELECT d.host, percentile_cont(0.5) WITHIN GROUP (ORDER BY CAST(d.seconds AS DOUBLE)) AS seconds
  FROM differences d
  GROUP BY d.host
),
day_votes AS (
  SELECT
    d.host, d.day, m.seconds, count(*) AS samples,
    count(*) FILTER (WHERE abs(CAST(d.seconds AS DOUBLE) - m.seconds) <= 2.0) AS agreeing
  FROM differences d
  JOIN day_middles m ON m.host = d.host AND m.day = d.day
  GROUP BY d.host, d.day, m.seconds
),
host_votes AS (
  SELECT
    d.host, m.seconds, count(*) AS samples,
    count(*) FILTER (WHERE abs(CAST(d.seconds AS DOUBLE) - m.seconds) <= 2.0) AS agreeing
  FROM differences d
  JOIN host_middles m ON m.host = d.host
  GROUP BY d.host, m.seconds
),
days AS (
  SELECT DISTINCT l.host, CAST(date_trunc('day', coalesce(l.started_at, l.written_at)) AS TIMESTAMP) AS day
  FROM core.transcript_lines l
  WHERE coalesce(l.started_at, l.written_at) IS NOT NULL
),
chosen AS (
  SELECT
    x.host, x.day, coalesce(v.samples, 0) AS samples,
    CASE WHEN v.agreeing >= 5 AND v.agreeing * 5 >= v.samples * 4 THEN v.seconds END AS day_seconds,
    CASE WHEN h.agreeing >= 5 AND h.agreeing * 5 >= h.samples * 4 THEN h.seconds END AS host_seconds
  FROM days x
  LEFT JOIN day_votes v ON v.host = x.host AND v.day = x.day
  LEFT JOIN host_votes h ON h.host = x.host
)
SELECT
  c.host, c.day,
  CAST(round(coalesce(c.day_seconds, c.host_seconds, CAST(0 AS DOUBLE))) AS BIGINT) AS offset_seconds,
  CASE WHEN round(coalesce(c.day_seconds, c.host_seconds, CAST(0 AS DOUBLE))) = CAST(0 AS DOUBLE) THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END
    AS slack_seconds,
  CASE WHEN c.day_seconds IS NOT NULL THEN 'day' WHEN c.host_seconds IS NOT NULL THEN 'host' ELSE 'none' END AS evidence,
  c.samples
FROM chosen c
