-- What did each day cost, by local midnight and by UTC midnight? Bills of providers are by UTC. (all days, newest first)
WITH utc AS (
  SELECT CAST(started_at AS DATE) AS day, round(coalesce(sum(cost_usd), 0), 4) AS utc_cost_usd, round(sum(list_usd), 4) AS utc_list_usd
  FROM core.calls
  GROUP BY ALL
), locals AS (
  SELECT
    local_date AS day, sum(calls) AS calls, sum(total_tokens) AS total_tokens, round(sum(cost_usd), 4) AS cost_usd,
    round(sum(list_usd), 4) AS list_usd
  FROM mart.daily_cost
  GROUP BY ALL
)
SELECT
  day, dayname(day) AS weekday, d.starts_at AS begins_at_utc, date_diff('hour', d.starts_at, d.ends_at) AS hours,
  l.calls, l.total_tokens, l.cost_usd, u.utc_cost_usd, l.list_usd, u.utc_list_usd
FROM locals l
FULL JOIN utc u USING (day)
LEFT JOIN conf.days d ON d.local_date = day
ORDER BY day DESC
