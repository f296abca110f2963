-- What does a step of a pipeline cost, is its input steady, and how does it compare with a full agent session? (last 7 days)
SELECT
  pipeline,
  step,
  model_group_requested AS model_group,
  model,
  calls,
  error_calls,
  total_tokens,
  round(rank_usd, 4) AS usd,
  round(100 * rank_share, 2) AS percent_of_all_work,
  round(usd_per_call, 6) AS usd_per_call,
  round(list_usd, 4) AS list_usd,
  round(list_usd_per_call, 6) AS list_usd_per_call,
  round(calls_per_session) AS calls_for_one_session,
  input_tokens_p50,
  input_tokens_p95,
  round(input_tokens_cv, 2) AS input_cv,
  round(input_p95_by_p50, 2) AS p95_by_p50
FROM mart.pipeline_steps
WHERE window_id = 'trailing_7d'
ORDER BY rank_usd DESC, pipeline, step, model_group, model;
