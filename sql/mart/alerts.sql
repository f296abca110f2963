-- What is wrong now and worth a message before the next report, at the thresholds of the settings ([alerts]).
-- Nothing here remembers what was told: an alert stands here as long as it holds.
-- Grain: one row per (kind, subject) that holds at conf.run.as_of.
-- Columns:
--   kind  spend_anomaly, budget_pace, pool_saturation, budget_cap, unpriced_model, source_stale, source_failing, match_drop or
--         cron_finding
--   subject  what it is about, the same as long as it is the same incident: all, budget, scope/name, key hash/incident,
--         provider/model, source, source/scope, all, or host/job/rule
--   label  the subject as people call it; NULL when it has no name
--   severity  high or medium
--   since_at  since when (UTC): first unusual day, first hour, minute, rejection, call, load or run; NULL unknown
--   value  the figure that decided
--   threshold  what it was judged against
--   unit  of both: usd, times (of the budget), minutes, requests, tokens, hours, loads, share or runs
--   detail  what else has to be said: budget_pace 6 h, 24 h or 7 d; pool_saturation deployment or pool; budget_cap model group;
--         spend_anomaly the money, cost or list; source_failing its part; cron_finding the rule's meaning
WITH spend_streak AS (
  SELECT
    s.rank_basis, min(s.starts_at) AS since_at, max_by(s.usd, s.local_date) AS usd,
    max_by(s.expected_usd, s.local_date) AS expected_usd
  FROM mart.daily_spend s
  CROSS JOIN (
    -- the running day is judged only when it is unusual already
    SELECT max(o.local_date) AS local_date FROM mart.daily_spend o WHERE o.is_complete AND NOT o.is_unusual
  ) ordinary
  WHERE s.is_unusual AND s.local_date > ordinary.local_date
  GROUP BY s.rank_basis
),
pace_since AS (
  SELECT p.budget, max(CASE WHEN p.span IS NULL THEN p.hour_at END) AS kept_at
  FROM mart.budget_pace p
  GROUP BY p.budget
),
pace_streak AS (
  SELECT p.budget, min(p.hour_at) AS since_at, max(p.hour_at) AS newest_at
  FROM mart.budget_pace p
  JOIN pace_since k ON k.budget = p.budget
  WHERE k.kept_at IS NULL OR p.hour_at > k.kept_at
  GROUP BY p.budget
),
pool_use AS (
  SELECT
    m.scope, m.name, p.pool,
    count(*) FILTER (WHERE m.requests * 5 >= p.rpm_limit * 4 OR m.tokens * 5 >= p.tpm_limit * 4) AS minutes_80,
    count(*) FILTER (WHERE m.requests >= p.rpm_limit OR m.tokens >= p.tpm_limit) AS minutes_100,
    CAST(sum(m.deployment_limit_rejections + m.vendor_rejections) AS BIGINT) AS rejections,
    min(CASE WHEN m.requests * 5 >= p.rpm_limit * 4 OR m.tokens * 5 >= p.tpm_limit * 4
      OR m.deployment_limit_rejections + m.vendor_rejections > 0 THEN m.minute_at END) AS since_at
  FROM core.pool_minutes m
  JOIN core.pools p ON p.scope = m.scope AND p.name = m.name
  CROSS JOIN conf.run r
  WHERE m.minute_at > r.as_of - INTERVAL '6' HOUR AND m.minute_at <= r.as_of
  GROUP BY m.scope, m.name, p.pool
),
saturated AS (
  SELECT
    u.scope, u.name, u.pool, u.since_at, u.minutes_80, u.rejections, t.pool_minutes, t.pool_rejections,
    u.rejections >= t.pool_rejections AS is_refused,
    u.rejections >= t.pool_rejections OR u.minutes_100 >= t.pool_minutes AS is_high
  FROM pool_use u
  CROSS JOIN conf.alert_thresholds t
  WHERE u.rejections >= t.pool_rejections OR u.minutes_80 >= t.pool_minutes
),
full_pools AS (
  SELECT s.name FROM saturated s WHERE s.scope = 'pool'
),
unpriced AS (
  SELECT
    u.provider, u.model, CAST(sum(u.unpriced_tokens) AS BIGINT) AS tokens
  FROM core.window_usage u
  WHERE u.window_id = 'trailing_7d' AND NOT u.is_previous
  GROUP BY u.provider, u.model
),
unpriced_since AS (
  SELECT c.provider, c.model, min(c.started_at) AS since_at
  FROM core.calls c
  WHERE c.tokens_basis = 'reported'
  GROUP BY c.provider, c.model
),
openclaw AS (
  SELECT
    c.started_at,
    CASE WHEN c.source = 'both' THEN CAST(1 AS DOUBLE) ELSE CAST(0 AS DOUBLE) END AS is_pair
  FROM core.calls c
  WHERE c.match_rule IN ('response_id', 'tokens_time') OR (c.source = 'openclaw' AND c.status = 'ok')
),
-- What the gateway has not been asked for yet cannot be matched: the day ends with its newest row.
gateway_end AS (
  SELECT max(c.started_at) AS newest_at
  FROM core.calls c
  CROSS JOIN conf.run r
  WHERE c.source IN ('both', 'litellm') AND c.started_at <= r.as_of
),
matched AS (
  SELECT
    count(*) FILTER (WHERE o.started_at > e.newest_at - INTERVAL '1' DAY) AS calls,
    avg(o.is_pair) FILTER (WHERE o.started_at > e.newest_at - INTERVAL '1' DAY) AS share,
    count(*) FILTER (WHERE o.started_at <= e.newest_at - INTERVAL '1' DAY) AS before_calls,
    avg(o.is_pair) FILTER (WHERE o.started_at <= e.newest_at - INTERVAL '1' DAY) AS before_share,
    max(e.newest_at) - INTERVAL '1' DAY AS since_at
  FROM openclaw o
  JOIN gateway_end e ON o.started_at <= e.newest_at AND o.started_at > e.newest_at - INTERVAL '29' DAY
),
-- The first run of the 7 days that broke each rule.
cron_since AS (
  SELECT
    d.host, d.job_id,
    min(CASE WHEN d.is_wrong_target THEN d.finished_at END) AS wrong_target_at,
    min(CASE WHEN d.is_in_quiet_hours THEN d.finished_at END) AS quiet_hours_at,
    min(CASE WHEN d.outcome = 'silently_undelivered' THEN d.finished_at END) AS silently_undelivered_at,
    min(CASE WHEN d.outcome = 'delivery_failed' THEN d.finished_at END) AS delivery_failed_at
  FROM core.cron_deliveries d
  JOIN conf.windows w ON d.finished_at >= w.starts_at AND d.finished_at < w.ends_at
  WHERE w.window_id = 'trailing_7d'
  GROUP BY d.host, d.job_id
),
stale AS (
  SELECT s.source, max(s.newest_data_at) AS newest_data_at
  FROM conf.source_state s
  GROUP BY s.source
)
SELECT
  'spend_anomaly' AS kind, 'all' AS subject, CAST(NULL AS STRING) AS label, 'high' AS severity, s.since_at,
  s.usd AS value, s.expected_usd AS threshold, 'usd' AS unit, s.rank_basis AS detail
FROM spend_streak s
UNION ALL
SELECT
  'budget_pace' AS kind, p.budget AS subject, p.budget AS label,
  CASE WHEN p.span = '7 d' THEN 'medium' ELSE 'high' END AS severity,
  s.since_at,
  CASE p.span WHEN '6 h' THEN p.pace_6h WHEN '24 h' THEN p.pace_24h ELSE p.pace_7d END AS value,
  CASE p.span WHEN '6 h' THEN t.pace_6h WHEN '24 h' THEN t.pace_24h ELSE t.pace_7d END AS threshold,
  'times' AS unit, p.span AS detail
FROM mart.budget_pace p
CROSS JOIN conf.alert_thresholds t
JOIN pace_streak s ON s.budget = p.budget AND s.newest_at = p.hour_at
UNION ALL
SELECT
  'pool_saturation' AS kind, s.scope || '/' || s.name AS subject, s.name AS label,
  CASE WHEN s.is_high THEN 'high' ELSE 'medium' END AS severity,
  s.since_at,
  CAST(CASE WHEN s.is_refused THEN s.rejections ELSE s.minutes_80 END AS DOUBLE) AS value,
  CAST(CASE WHEN s.is_refused THEN s.pool_rejections ELSE s.pool_minutes END AS DOUBLE) AS threshold,
  CASE WHEN s.is_refused THEN 'requests' ELSE 'minutes' END AS unit,
  s.scope AS detail
FROM saturated s
LEFT JOIN full_pools f ON f.name = s.pool
-- a full pool speaks for its deployments
WHERE s.scope = 'pool' OR f.name IS NULL
UNION ALL
SELECT
  'budget_cap' AS kind, i.key_hash || '/' || CAST(i.incident_number AS STRING) AS subject, i.key_alias AS label,
  'high' AS severity, i.first_at AS since_at,
  CAST(i.rejections AS DOUBLE) AS value, CAST(i.limit_usd AS DOUBLE) AS threshold, 'requests' AS unit,
  nullif(i.top_model_group, '') AS detail
FROM mart.budget_incidents i
CROSS JOIN conf.run r
WHERE i.last_at > r.as_of - INTERVAL '24' HOUR
UNION ALL
SELECT
  'unpriced_model' AS kind, coalesce(u.provider, '') || '/' || coalesce(u.model, '') AS subject, u.model AS label,
  'medium' AS severity, s.since_at,
  CAST(u.tokens AS DOUBLE) AS value, CAST(t.unpriced_tokens AS DOUBLE) AS threshold, 'tokens' AS unit,
  u.provider AS detail
FROM unpriced u
CROSS JOIN conf.alert_thresholds t
LEFT JOIN unpriced_since s ON coalesce(s.provider, '') = coalesce(u.provider, '') AND coalesce(s.model, '') = coalesce(u.model, '')
WHERE u.tokens >= t.unpriced_tokens
UNION ALL
SELECT
  'source_stale' AS kind, s.source AS subject, s.source AS label, 'high' AS severity, s.newest_data_at AS since_at,
  CAST(extract(day FROM date_trunc('day', r.as_of) - date_trunc('day', s.newest_data_at)) * 24
    + (hour(r.as_of) - hour(s.newest_data_at)) AS DOUBLE)
    + CAST(minute(r.as_of) - minute(s.newest_data_at) AS DOUBLE) / 60 AS value,
  t.stale_hours AS threshold, 'hours' AS unit, CAST(NULL AS STRING) AS detail
FROM stale s
CROSS JOIN conf.run r
CROSS JOIN conf.alert_thresholds t
WHERE s.newest_data_at + t.stale_seconds * INTERVAL '1' SECOND < r.as_of
UNION ALL
SELECT
  'source_failing' AS kind, s.source || '/' || s.scope AS subject, s.source AS label, 'high' AS severity,
  s.failing_since AS since_at,
  CAST(s.failures AS DOUBLE) AS value, CAST(t.source_failures AS DOUBLE) AS threshold, 'loads' AS unit, s.scope AS detail
FROM conf.source_state s
CROSS JOIN conf.alert_thresholds t
WHERE s.failures >= t.source_failures
UNION ALL
SELECT
  'match_drop' AS kind, 'all' AS subject, CAST(NULL AS STRING) AS label, 'medium' AS severity, m.since_at,
  m.share AS value, m.before_share AS threshold, 'share' AS unit, CAST(NULL AS STRING) AS detail
FROM matched m
CROSS JOIN conf.alert_thresholds t
-- of a few calls, one more or less is not a drop
WHERE m.calls >= 30 AND m.before_calls >= 100 AND m.share <= m.before_share - t.match_drop
UNION ALL
SELECT
  'cron_finding' AS kind, f.host || '/' || f.job_id || '/' || f.rule AS subject, coalesce(f.name, f.job_id) AS label,
  'high' AS severity,
  CASE f.rule
    WHEN 'wrong_target' THEN s.wrong_target_at
    WHEN 'delivered_in_quiet_hours' THEN s.quiet_hours_at
    WHEN 'silently_undelivered' THEN s.silently_undelivered_at
    WHEN 'delivery_failed' THEN s.delivery_failed_at
  END AS since_at,
  CAST(f.runs AS DOUBLE) AS value, CAST(NULL AS DOUBLE) AS threshold, 'runs' AS unit, f.meaning AS detail
FROM mart.cron_findings f
LEFT JOIN cron_since s ON s.host = f.host AND s.job_id = f.job_id
WHERE f.window_id = 'trailing_7d' AND f.severity IN ('incident', 'high')
