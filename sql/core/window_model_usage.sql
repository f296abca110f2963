-- Usage per reporting window by what the gateway's questions group by: work, tier, model, deployment, key.
-- Tokens are the reported ones. The date and the size of the prompt are kept apart so that the same tokens can be priced
-- at another tier's price of the day. All calls are added up once, by ISO week and trailing window, before they are laid out
-- by window.
-- Grain: one row per (window_id, local_date, category, session_type, trigger, agent_id, lane, method, requested_tier,
--         model_group_requested, model_group_served, provider, model, deployment_id, key_hash, key_alias, is_fallback,
--         is_list_priced, min_prompt_tokens).
-- Columns:
--   window_id  window
--   local_date  date in the configured time zone
--   category  what the operator calls the work
--   session_type  session type
--   trigger  human or autonomous
--   agent_id  agent; NULL when only LiteLLM saw the calls
--   lane  whose work it is
--   method  method the client sent along
--   requested_tier  tier asked for; NULL when the model is in none
--   model_group_requested  model group asked for
--   model_group_served  model group that served
--   provider  provider that served
--   model  model that served
--   deployment_id  LiteLLM deployment
--   key_hash  sha256 of the virtual key
--   key_alias  alias of the virtual key
--   is_fallback  whether the gateway fell back; NULL unknown
--   is_list_priced  whether a list price is known and the tokens are reported
--   min_prompt_tokens  where the price band of the prompt begins, over all tiers' prices
--   calls  requests; attempt rows, health checks and probes are none
--   error_calls  of these, failed or aborted
--   budget_rejections  requests refused because a budget is spent
--   rate_limited_calls  requests refused by a rate limit of the key, the deployment or the provider
--   blocked_key_calls  requests refused because the key is blocked
--   expired_key_calls  requests refused because the key has expired
--   unknown_key_calls  requests refused because there is no such key
--   gateway_calls  requests seen by LiteLLM
--   gateway_ok_calls  of these, successful ones
--   free_calls  of these, with tokens and without spend
--   priced_calls  of these, with spend
--   input_tokens  reported input tokens, cached ones excluded
--   cache_read_tokens  reported tokens read from the prompt cache
--   cache_write_tokens  reported tokens written to the prompt cache
--   cache_write_1h_tokens  of these, written with the one-hour lifetime
--   output_tokens  reported output tokens
--   total_tokens  reported tokens
--   cost_usd  cost on the configured basis (USD)
--   spend_usd  LiteLLM's spend (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   first_at  first call (UTC)
--   last_at  last call (UTC)
WITH bands AS (
  SELECT
    b.min_prompt_tokens,
    lead(b.min_prompt_tokens) OVER (ORDER BY b.min_prompt_tokens NULLS LAST) AS max_prompt_tokens
  FROM (
    SELECT CAST(0 AS BIGINT) AS min_prompt_tokens
    UNION
    SELECT p.min_prompt_tokens FROM core.tier_prices p
  ) b
),
banded AS (
  SELECT
    c.*,
    CASE WHEN c.tokens_basis = 'reported' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS is_reported,
    b.min_prompt_tokens
  FROM core.calls c
  JOIN bands b
    ON c.input_tokens + c.cache_read_tokens + c.cache_write_tokens >= b.min_prompt_tokens
    AND (b.max_prompt_tokens IS NULL OR c.input_tokens + c.cache_read_tokens + c.cache_write_tokens < b.max_prompt_tokens)
),
parts AS (
  SELECT
    c.local_week,
    t.window_id AS trailing_window_id,
    c.local_date, c.category, c.session_type, c.trigger, c.agent_id, c.lane, c.method, c.requested_tier,
    c.model_group_requested, c.model_group_served, c.provider, c.model, c.deployment_id, c.key_hash, c.key_alias,
    c.is_fallback,
    c.list_usd IS NOT NULL AS is_list_priced,
    c.min_prompt_tokens,
    count(*) FILTER (WHERE c.is_request) AS calls,
    count(*) FILTER (WHERE c.is_request AND c.status <> 'ok') AS error_calls,
    count(*) FILTER (WHERE c.error_kind = 'budget') AS budget_rejections,
    count(*) FILTER (
      WHERE c.error_kind IN (
        'key_rpm_limit', 'key_tpm_limit', 'key_parallel_limit', 'key_limit', 'deployment_limit', 'no_deployment',
        'vendor_rate_limit'
      )
    ) AS rate_limited_calls,
    count(*) FILTER (WHERE c.error_kind = 'blocked_key') AS blocked_key_calls,
    count(*) FILTER (WHERE c.error_kind = 'expired_key') AS expired_key_calls,
    count(*) FILTER (WHERE c.error_kind = 'unknown_key') AS unknown_key_calls,
    count(*) FILTER (WHERE c.is_request AND c.source IN ('both', 'litellm')) AS gateway_calls,
    count(*) FILTER (WHERE c.is_request AND c.source IN ('both', 'litellm') AND c.status = 'ok') AS gateway_ok_calls,
    count(*) FILTER (WHERE c.is_request AND c.status = 'ok' AND c.spend_usd = 0 AND c.total_tokens > 0) AS free_calls,
    count(*) FILTER (WHERE c.is_request AND c.status = 'ok' AND c.spend_usd > 0) AS priced_calls,
    CAST(sum(c.input_tokens * c.is_reported) AS BIGINT) AS input_tokens,
    CAST(sum(c.cache_read_tokens * c.is_reported) AS BIGINT) AS cache_read_tokens,
    CAST(sum(c.cache_write_tokens * c.is_reported) AS BIGINT) AS cache_write_tokens,
    CAST(sum(c.cache_write_1h_tokens * c.is_reported) AS BIGINT) AS cache_write_1h_tokens,
    CAST(sum(c.output_tokens * c.is_reported) AS BIGINT) AS output_tokens,
    CAST(sum(c.total_tokens * c.is_reported) AS BIGINT) AS total_tokens,
    CAST(sum(c.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(c.spend_usd) AS DECIMAL(28,12)) AS spend_usd,
    CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd,
    min(c.started_at) AS first_at,
    max(c.started_at) AS last_at
  FROM banded c
  -- the trailing windows do not overlap: a call lies in its ISO week and in one of them at most
  LEFT JOIN core.windows t ON t.kind <> 'iso_week' AND c.started_at >= t.starts_at AND c.started_at < t.ends_at
  GROUP BY
    c.local_week, t.window_id, c.local_date, c.category, c.session_type, c.trigger, c.agent_id, c.lane, c.method,
    c.requested_tier, c.model_group_requested, c.model_group_served, c.provider, c.model, c.deployment_id, c.key_hash,
    c.key_alias, c.is_fallback, c.list_usd IS NOT NULL, c.min_prompt_tokens
)
SELECT
  w.window_id, p.local_date, p.category, p.session_type, p.trigger, p.agent_id, p.lane, p.method, p.requested_tier,
  p.model_group_requested, p.model_group_served, p.provider, p.model, p.deployment_id, p.key_hash, p.key_alias,
  p.is_fallback, p.is_list_priced, p.min_prompt_tokens,
  CAST(sum(p.calls) AS BIGINT) AS calls,
  CAST(sum(p.error_calls) AS BIGINT) AS error_calls,
  CAST(sum(p.budget_rejections) AS BIGINT) AS budget_rejections,
  CAST(sum(p.rate_limited_calls) AS BIGINT) AS rate_limited_calls,
  CAST(sum(p.blocked_key_calls) AS BIGINT) AS blocked_key_calls,
  CAST(sum(p.expired_key_calls) AS BIGINT) AS expired_key_calls,
  CAST(sum(p.unknown_key_calls) AS BIGINT) AS unknown_key_calls,
  CAST(sum(p.gateway_calls) AS BIGINT) AS gateway_calls,
  CAST(sum(p.gateway_ok_calls) AS BIGINT) AS gateway_ok_calls,
  CAST(sum(p.free_calls) AS BIGINT) AS free_calls,
  CAST(sum(p.priced_calls) AS BIGINT) AS priced_calls,
  CAST(sum(p.input_tokens) AS BIGINT) AS input_tokens,
  CAST(sum(p.cache_read_tokens) AS BIGINT) AS cache_read_tokens,
  CAST(sum(p.cache_write_tokens) AS BIGINT) AS cache_write_tokens,
  CAST(sum(p.cache_write_1h_tokens) AS BIGINT) AS cache_write_1h_tokens,
  CAST(sum(p.output_tokens) AS BIGINT) AS output_tokens,
  CAST(sum(p.total_tokens) AS BIGINT) AS total_tokens,
  CAST(sum(p.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
  CAST(sum(p.spend_usd) AS DECIMAL(28,12)) AS spend_usd,
  CAST(sum(p.list_usd) AS DECIMAL(28,12)) AS list_usd,
  min(p.first_at) AS first_at,
  max(p.last_at) AS last_at
FROM core.windows w
JOIN parts p ON w.window_id = p.local_week OR w.window_id = p.trailing_window_id
GROUP BY
  w.window_id, p.local_date, p.category, p.session_type, p.trigger, p.agent_id, p.lane, p.method, p.requested_tier,
  p.model_group_requested, p.model_group_served, p.provider, p.model, p.deployment_id, p.key_hash, p.key_alias,
  p.is_fallback, p.is_list_priced, p.min_prompt_tokens
