-- Which deployment or pool is near its limit, when does it run into it, and which could take load?
SELECT
  scope, name, pool, requests_7d, rejections_7d, p99_rpm_7d, rpm_limit, p99_tpm_7d, tpm_limit,
  round(100 * headroom_7d, 1) AS headroom_percent, could_take_load, spare_rpm, spare_tpm,
  weeks, round(weeks_to_limit, 1) AS weeks_to_limit
FROM mart.pool_forecast
ORDER BY headroom_7d NULLS LAST, scope, name
