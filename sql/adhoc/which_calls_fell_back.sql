-- Which calls were not served by the model they asked for, and why, as far as anything tells? (last 7 days)
SELECT
  f.kind, f.tier, f.model_group_requested AS asked, f.model_group_served AS served, f.requested_pool, f.served_pool,
  f.reason, f.reason_evidence, sum(f.calls) AS calls, sum(f.hops) AS hops,
  round(100 * max(f.tier_share), 1) AS worst_day_percent_of_tier
FROM mart.fallbacks AS f
JOIN core.windows AS w ON w.window_id = 'trailing_7d' AND f.local_date BETWEEN w.first_date AND w.last_date
GROUP BY ALL
ORDER BY f.kind, calls DESC, asked, served, f.reason
