-- Where might a smaller tier do, on what evidence, and what would it save at list prices? (last 7 days, most first)
SELECT
  category,
  job_name AS job,
  method,
  requested_tier AS tier,
  suggested_tier AS suggested,
  reason,
  floor_tier AS floor,
  calls,
  turns,
  round(100 * simple_share, 1) AS simple_percent,
  empty_polls,
  retries,
  round(100 * error_share, 1) AS error_percent,
  round(output_tokens_per_call) AS output_per_call,
  round(list_usd, 4) AS list_usd,
  round(saving_list_usd, 4) AS saving_list_usd
FROM mart.model_recommendations
WHERE window_id = 'trailing_7d'
ORDER BY saving_list_usd DESC NULLS LAST, category, job, method, tier;
