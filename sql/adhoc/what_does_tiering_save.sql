-- What does tiering save against one tier for everything, and what would the target mapping save?
SELECT
  scope, name, round(100 * coverage_share, 1) AS coverage_percent, list_usd, all_heavy_usd,
  round(100 * saved_vs_heavy_share, 1) AS saved_vs_heavy_percent, round(heavy_ratio, 1) AS heavy_times,
  all_standard_usd, round(100 * saved_vs_standard_share, 1) AS saved_vs_standard_percent, target_tier,
  saved_by_target_usd
FROM mart.tier_savings
WHERE window_id = 'trailing_7d'
ORDER BY scope DESC, saved_vs_heavy_usd DESC NULLS LAST, name
