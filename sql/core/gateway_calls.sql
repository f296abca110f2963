-- LiteLLM spend logs, typed: which rows are requests, which tokens are reported, what kind of work unjoined rows are.
-- Kept as a view: a copy of so wide rows takes longer to write than all its readers need to work them out again.
-- Grain: one row per LiteLLM request_id.
-- Columns:
--   request_id  LiteLLM's key
--   litellm_call_id  id of the call in the response header
--   started_at  proxy received the request (UTC)
--   ended_at  response finished (UTC)
--   first_token_at  first token (UTC)
--   status  ok or error
--   error_kind  what went wrong
--   is_request  false for attempt rows, health checks, model-list probes, and rows of what was made by another request:
--         reading a stored response, the cost of a batch or of a background response
--   tokens_basis  reported, estimated by LiteLLM (failures, clients that hung up), or repeated: a stored response was read
--         and LiteLLM logged again what making it had used
--   input_tokens  input tokens, cached ones excluded
--   cache_read_tokens  tokens read from the prompt cache
--   cache_write_tokens  tokens written to the prompt cache
--   cache_write_1h_tokens  of these, written with the one-hour lifetime
--   output_tokens  output tokens
--   reasoning_tokens  reasoning tokens
--   prompt_tokens  prompt tokens as logged, cached ones included
--   spend_usd  spend as logged (USD)
--   provider  provider that served
--   model  provider/model that served
--   deployment_id  deployment that served
--   model_group_requested  group asked for; the group that served on proxies that do not log it
--   model_group_served  group that served
--   is_fallback  whether another group or deployment than the first served; NULL on proxies that do not log it
--   attempted_fallbacks  hops away from the first deployment; NULL on proxies that do not log them
--   attempted_retries  retries inside the group that answered
--   key_hash  sha256 of the virtual key
--   key_alias  alias of the virtual key
--   team_id  team of the key
--   end_user  end user sent with the request
--   user_agent  client software
--   category  category the client sent along
--   ticket_key  ticket the client sent along
--   method  method the client sent along
--   pipeline  pipeline the client sent along
--   step  step the client sent along
--   session_type  what an unjoined row is: llm_task, worker, maintenance or api
WITH responses AS (
  SELECT
    r.request_id,
    r.call_type IN ('get_responses', 'aget_responses') AND r.request_id NOT LIKE '%_background_cost' AS is_read,
    -- Reading gives a stored response another id: what it used tells it apart.
    row_number() OVER (
      PARTITION BY r.key_hash, r.prompt_tokens, r.output_tokens ORDER BY r.started_at NULLS FIRST, r.request_id NULLS FIRST
    ) AS n
  FROM raw.litellm_spend_logs r
  WHERE r.call_type IN ('responses', 'aresponses', 'get_responses', 'aget_responses')
    AND r.prompt_tokens + r.output_tokens > 0
)
SELECT
  s.request_id,
  s.litellm_call_id,
  s.started_at,
  s.ended_at,
  s.first_token_at,
  CASE WHEN s.status = 'failure' THEN 'error' ELSE 'ok' END AS status,
  s.error_kind,
  NOT (
    coalesce(s.is_attempt, false) OR coalesce(s.is_health_check, false) OR s.call_type LIKE '/%'
    OR s.call_type IN ('get_responses', 'aget_responses', 'retrieve_batch', 'aretrieve_batch')
  ) AS is_request,
  CASE
    WHEN s.status = 'failure' OR s.is_client_disconnect THEN 'estimated'
    WHEN r.request_id IS NOT NULL THEN 'repeated'
    ELSE 'reported'
  END AS tokens_basis,
  greatest(
    coalesce(s.prompt_tokens, 0) - coalesce(s.cache_read_tokens, 0) - coalesce(s.cache_write_tokens, 0), 0
  ) AS input_tokens,
  coalesce(s.cache_read_tokens, 0) AS cache_read_tokens,
  coalesce(s.cache_write_tokens, 0) AS cache_write_tokens,
  coalesce(s.cache_write_1h_tokens, 0) AS cache_write_1h_tokens,
  coalesce(s.output_tokens, 0) AS output_tokens,
  coalesce(s.reasoning_tokens, 0) AS reasoning_tokens,
  coalesce(s.prompt_tokens, 0) AS prompt_tokens,
  coalesce(s.spend_usd, 0) AS spend_usd,
  s.provider,
  s.model,
  s.deployment_id,
  coalesce(s.original_model_group, s.model_group) AS model_group_requested,
  s.model_group AS model_group_served,
  s.attempted_fallbacks > 0 AS is_fallback,
  s.attempted_fallbacks,
  s.attempted_retries,
  s.key_hash,
  s.key_alias,
  s.team_id,
  s.end_user,
  s.user_agent,
  s.category,
  s.ticket_key,
  s.method,
  s.pipeline,
  s.step,
  CASE
    WHEN coalesce(s.is_health_check, false) OR s.call_type LIKE '/%' OR r.request_id IS NOT NULL THEN 'maintenance'
    WHEN s.pipeline IS NOT NULL OR s.step IS NOT NULL OR s.category IN ('llm-task', 'llm_task') THEN 'llm_task'
    WHEN s.method IS NOT NULL OR s.ticket_key IS NOT NULL THEN 'worker'
    ELSE 'api'
  END AS session_type
FROM raw.litellm_spend_logs s
LEFT JOIN responses r ON r.request_id = s.request_id AND r.is_read AND r.n > 1
