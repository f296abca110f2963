-- Which key's budget runs out before it is reset, at the pace of the last 24 hours and 7 days?
WITH keys AS (
  SELECT * FROM raw.litellm_keys QUALIFY row_number() OVER (PARTITION BY key_hash ORDER BY observed_at DESC) = 1
), pace AS (
  SELECT
    c.key_hash, r.as_of,
    coalesce(sum(c.spend_usd) FILTER (WHERE c.started_at >= r.as_of - INTERVAL '24' HOUR), 0) AS usd_24h,
    sum(c.spend_usd) / 7 AS usd_a_day
  FROM core.calls c
  CROSS JOIN conf.run r
  WHERE c.started_at >= r.as_of - INTERVAL '7' DAY AND c.started_at < r.as_of
  GROUP BY c.key_hash, r.as_of
)
SELECT
  coalesce(k.key_alias, left(k.key_hash, 12)) AS key, k.max_budget_usd, k.spend_usd,
  round(100 * k.spend_usd / nullif(k.max_budget_usd, 0), 1) AS percent_spent,
  k.budget_duration, k.budget_reset_at,
  round(p.usd_24h, 4) AS usd_24h, round(p.usd_a_day, 4) AS usd_a_day,
  round((k.max_budget_usd - k.spend_usd) / nullif(greatest(p.usd_24h, p.usd_a_day), 0), 1) AS days_left,
  coalesce(p.as_of + to_seconds(CAST(86400 * (k.max_budget_usd - k.spend_usd) / nullif(greatest(p.usd_24h, p.usd_a_day), 0) AS DOUBLE))
    < k.budget_reset_at, false) AS runs_out_before_reset
FROM keys k
LEFT JOIN pace p USING (key_hash)
WHERE k.max_budget_usd IS NOT NULL
ORDER BY days_left NULLS LAST, key
