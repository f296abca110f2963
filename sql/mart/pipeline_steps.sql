-- What a step of a pipeline costs, how steady its input is, and how that compares with a full agent session.
-- Steps are what clients of the gateway name in spend_logs_metadata (pipeline, step): OpenClaw keeps no record of llm-task and
-- Lobster steps, so a step that names neither is not here.
-- Grain: one row per (window_id, pipeline, step, model_group_requested, model).
-- Columns:
--   window_id  window
--   pipeline  pipeline the client sent along; NULL when it named only the step
--   step  step the client sent along; NULL when it named only the pipeline
--   model_group_requested  model group asked for
--   model  model that served
--   calls  model requests
--   error_calls  of these, failed
--   retries  retries inside the model group that answered
--   total_tokens  reported tokens
--   output_tokens  of these, output
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   rank_usd  the money that shares and rankings of the window use (USD)
--   rank_share  rank_usd of all work in the window, 0 to 1; NULL when that is zero
--   usd_per_call  rank_usd per request (USD)
--   input_tokens_mean  mean prompt size of successful requests, cached tokens included
--   input_tokens_p50  median prompt size (nearest rank)
--   input_tokens_p95  95th percentile of the prompt size (nearest rank)
--   input_tokens_cv  standard deviation of the prompt size by its mean; 0 is a fixed budget; NULL with one request
--   input_p95_by_p50  input_tokens_p95 by input_tokens_p50; 1 is a fixed budget
--   agent_session_usd  mean rank_usd of an OpenClaw session in the window (USD); NULL without one
--   list_usd_per_call  list_usd per request (USD); NULL when nothing is priced
--   agent_session_list_usd  mean cost of an OpenClaw session at list prices (USD); NULL without a priced one
--   calls_per_session  how many such requests one session pays for, at list prices; NULL when either has no price
WITH steps AS (
  SELECT
    w.window_id, w.rank_basis, c.pipeline, c.step, c.model_group_requested, c.model, c.call_id, c.is_request, c.status,
    c.attempted_retries, c.cost_usd, c.list_usd,
    CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END AS total_tokens,
    CASE WHEN c.tokens_basis = 'reported' THEN c.output_tokens ELSE CAST(0 AS BIGINT) END AS output_tokens,
    CASE WHEN c.is_request AND c.status = 'ok' AND c.tokens_basis = 'reported'
      THEN c.input_tokens + c.cache_read_tokens + c.cache_write_tokens END AS prompt_tokens
  FROM core.windows w
  JOIN core.calls c ON c.started_at >= w.starts_at AND c.started_at < w.ends_at
  WHERE c.pipeline IS NOT NULL OR c.step IS NOT NULL
),
ranked AS (
  SELECT
    s.*,
    count(s.prompt_tokens) OVER (
      PARTITION BY s.window_id, s.pipeline, s.step, s.model_group_requested, s.model
    ) AS prompts,
    row_number() OVER (
      PARTITION BY s.window_id, s.pipeline, s.step, s.model_group_requested, s.model
      ORDER BY s.prompt_tokens NULLS LAST, s.call_id NULLS LAST
    ) AS n
  FROM steps s
),
grouped AS (
  SELECT
    r.window_id, r.rank_basis, r.pipeline, r.step, r.model_group_requested, r.model,
    count(*) FILTER (WHERE r.is_request) AS calls,
    count(*) FILTER (WHERE r.is_request AND r.status <> 'ok') AS error_calls,
    CAST(coalesce(sum(r.attempted_retries), 0) AS BIGINT) AS retries,
    CAST(sum(r.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(r.output_tokens) AS BIGINT) AS output_tokens,
    CAST(coalesce(sum(r.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(r.list_usd) AS DECIMAL(28,12)) AS list_usd,
    CAST(coalesce(sum(
      CASE WHEN r.rank_basis = 'list' THEN CAST(r.list_usd AS DECIMAL(22,12)) ELSE CAST(r.cost_usd AS DECIMAL(22,12)) END
    ), 0) AS DECIMAL(28,12)) AS rank_usd,
    avg(CAST(r.prompt_tokens AS DOUBLE)) AS input_tokens_mean,
    stddev_samp(CAST(r.prompt_tokens AS DOUBLE)) AS input_tokens_sd,
    min(CASE WHEN r.n * 100 >= r.prompts * 50 THEN r.prompt_tokens END) AS input_tokens_p50,
    min(CASE WHEN r.n * 100 >= r.prompts * 95 THEN r.prompt_tokens END) AS input_tokens_p95
  FROM ranked r
  GROUP BY r.window_id, r.rank_basis, r.pipeline, r.step, r.model_group_requested, r.model
),
sessions AS (
  SELECT
    u.window_id, u.agent_id, u.session_id,
    sum(u.rank_usd) AS rank_usd,
    sum(u.list_usd) AS list_usd
  FROM core.window_usage u
  WHERE NOT u.is_previous
  GROUP BY u.window_id, u.agent_id, u.session_id
),
totals AS (
  SELECT
    s.window_id,
    CAST(sum(s.rank_usd) AS DOUBLE) AS rank_usd,
    CAST(sum(CASE WHEN s.session_id IS NOT NULL THEN coalesce(s.rank_usd, 0) END) AS DOUBLE)
      / nullif(CAST(count(s.session_id) AS DOUBLE), 0) AS agent_session_usd,
    CAST(sum(CASE WHEN s.session_id IS NOT NULL THEN s.list_usd END) AS DOUBLE)
      / nullif(CAST(count(s.session_id) AS DOUBLE), 0) AS agent_session_list_usd
  FROM sessions s
  GROUP BY s.window_id
)
SELECT
  g.window_id, g.pipeline, g.step, g.model_group_requested, g.model,
  g.calls, g.error_calls, g.retries, g.total_tokens, g.output_tokens, g.cost_usd, g.list_usd, g.rank_usd,
  CAST(g.rank_usd AS DOUBLE) / nullif(t.rank_usd, 0) AS rank_share,
  CAST(g.rank_usd AS DOUBLE) / nullif(CAST(g.calls AS DOUBLE), 0) AS usd_per_call,
  g.input_tokens_mean, g.input_tokens_p50, g.input_tokens_p95,
  g.input_tokens_sd / nullif(g.input_tokens_mean, 0) AS input_tokens_cv,
  CAST(g.input_tokens_p95 AS DOUBLE) / nullif(CAST(g.input_tokens_p50 AS DOUBLE), 0) AS input_p95_by_p50,
  t.agent_session_usd,
  CAST(g.list_usd AS DOUBLE) / nullif(CAST(g.calls AS DOUBLE), 0) AS list_usd_per_call,
  t.agent_session_list_usd,
  t.agent_session_list_usd * CAST(g.calls AS DOUBLE) / nullif(CAST(g.list_usd AS DOUBLE), 0) AS calls_per_session
FROM grouped g
JOIN totals t ON t.window_id = g.window_id
