-- Charges by the FinOps Open Cost and Usage Specification (FOCUS) 1.2: agentops export focus names the columns as it does.
-- A charge is what one kind of work used of one model by one virtual key in a day. Its tokens have several prices, so a charge
-- has no unit price; its parts and what they were used for are in the columns that begin with x_. FOCUS wants a figure for every
-- cost: where nobody knows what was paid, it is 0 and x_cost_basis is unknown; where no list price is known, the list cost is
-- what was paid and x_is_priced is false. Calls that no source has a time of are left out.
-- Grain: one row per (charge_period_start, billing_account_id, sub_account_id, provider_name, resource_id, x_model,
--         x_model_group, x_lane, x_category, x_session_type, x_trigger, x_team_id, x_ticket_key, x_cost_basis, x_is_priced).
-- Columns:
--   billing_account_id  litellm for what went through the gateway, openclaw for what did not, otel for what only traces tell of
--   billing_account_name  the same in words
--   sub_account_id  sha256 of the virtual key; NULL without a gateway
--   sub_account_name  alias of the virtual key; NULL when it has none
--   sub_account_type  Virtual Key; NULL without one
--   billing_currency  USD
--   billing_period_start  first moment of the month (UTC)
--   billing_period_end  first moment of the next month (UTC)
--   charge_period_start  first moment of the day (UTC)
--   charge_period_end  first moment of the next day (UTC)
--   charge_category  Usage
--   charge_class  NULL: no charge is a correction of an invoice
--   charge_description  model and kind of work
--   charge_frequency  Usage-Based
--   provider_name  provider that served
--   publisher_name  the same: who made a model is not known
--   invoice_issuer_name  the same: who sends the invoice is not known
--   invoice_id  NULL: invoices are not known
--   service_category  AI and Machine Learning
--   service_subcategory  Generative AI
--   service_name  LLM inference
--   resource_id  deployment of the gateway, else the model
--   resource_name  model that served
--   resource_type  Deployment or Model
--   commitment_discount_status  NULL: there are no commitments
--   pricing_category  Standard
--   pricing_quantity  reported tokens
--   pricing_unit  Tokens
--   consumed_quantity  reported tokens
--   consumed_unit  Tokens
--   billed_cost  cost on the configured basis (USD)
--   effective_cost  the same: nothing is paid in advance
--   contracted_cost  the same: negotiated prices are in what LiteLLM logs
--   list_cost  cost at list prices (USD); what was paid when no list price is known
--   x_model  model that served, as the source calls it
--   x_model_group  model group asked for
--   x_lane  whose work it is: the agent, else the lane or alias of the virtual key
--   x_category  what the operator calls the work
--   x_session_type  session type
--   x_trigger  human or autonomous
--   x_team_id  team of the virtual key
--   x_ticket_key  ticket the client sent along
--   x_cost_basis  which figure the costs are: spend, estimate, list or unknown
--   x_is_priced  whether a list price is known
--   x_requests  model requests
--   x_input_tokens  input tokens, cached ones excluded
--   x_cache_read_tokens  tokens read from the prompt cache
--   x_cache_write_tokens  tokens written to the prompt cache
--   x_output_tokens  output tokens, reasoning included
WITH charges AS (
  SELECT
    CAST(date_trunc('day', c.started_at) AS TIMESTAMP) AS day,
    CASE WHEN c.source = 'both' THEN 'litellm' ELSE c.source END AS account,
    c.key_hash, c.provider, c.deployment_id, c.model, c.model_group_requested, c.lane, c.category, c.session_type, c.trigger,
    c.team_id, c.ticket_key,
    coalesce(c.cost_basis, 'unknown') AS cost_basis,
    c.list_usd IS NOT NULL AS is_priced,
    min(c.key_alias) AS key_alias,
    count(*) FILTER (WHERE c.is_request) AS requests,
    CAST(coalesce(sum(c.input_tokens) FILTER (WHERE c.tokens_basis = 'reported'), 0) AS BIGINT) AS input_tokens,
    CAST(coalesce(sum(c.cache_read_tokens) FILTER (WHERE c.tokens_basis = 'reported'), 0) AS BIGINT) AS cache_read_tokens,
    CAST(coalesce(sum(c.cache_write_tokens) FILTER (WHERE c.tokens_basis = 'reported'), 0) AS BIGINT) AS cache_write_tokens,
    CAST(coalesce(sum(c.output_tokens) FILTER (WHERE c.tokens_basis = 'reported'), 0) AS BIGINT) AS output_tokens,
    CAST(coalesce(sum(c.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM core.calls c
  WHERE c.started_at IS NOT NULL
  GROUP BY
    CAST(date_trunc('day', c.started_at) AS TIMESTAMP),
    CASE WHEN c.source = 'both' THEN 'litellm' ELSE c.source END,
    c.key_hash, c.provider, c.deployment_id, c.model, c.model_group_requested, c.lane, c.category, c.session_type, c.trigger,
    c.team_id, c.ticket_key, coalesce(c.cost_basis, 'unknown'), c.list_usd IS NOT NULL
)
SELECT
  h.account AS billing_account_id,
  CASE h.account
    WHEN 'litellm' THEN 'LiteLLM gateway'
    WHEN 'openclaw' THEN 'OpenClaw without a gateway'
    ELSE 'Traces alone'
  END AS billing_account_name,
  h.key_hash AS sub_account_id,
  h.key_alias AS sub_account_name,
  CASE WHEN h.key_hash IS NOT NULL THEN 'Virtual Key' END AS sub_account_type,
  'USD' AS billing_currency,
  CAST(date_trunc('month', h.day) AS TIMESTAMP) AS billing_period_start,
  CAST(date_trunc('month', CAST(date_trunc('month', h.day) AS TIMESTAMP) + INTERVAL '32' DAY) AS TIMESTAMP) AS billing_period_end,
  h.day AS charge_period_start,
  h.day + INTERVAL '1' DAY AS charge_period_end,
  'Usage' AS charge_category,
  CAST(NULL AS STRING) AS charge_class,
  coalesce(h.model, 'unknown model') || ', ' || coalesce(h.category, 'unknown work') AS charge_description,
  'Usage-Based' AS charge_frequency,
  coalesce(h.provider, 'unknown') AS provider_name,
  coalesce(h.provider, 'unknown') AS publisher_name,
  coalesce(h.provider, 'unknown') AS invoice_issuer_name,
  CAST(NULL AS STRING) AS invoice_id,
  'AI and Machine Learning' AS service_category,
  'Generative AI' AS service_subcategory,
  'LLM inference' AS service_name,
  coalesce(h.deployment_id, h.model) AS resource_id,
  h.model AS resource_name,
  CASE WHEN h.deployment_id IS NOT NULL THEN 'Deployment' WHEN h.model IS NOT NULL THEN 'Model' END AS resource_type,
  CAST(NULL AS STRING) AS commitment_discount_status,
  'Standard' AS pricing_category,
  h.input_tokens + h.cache_read_tokens + h.cache_write_tokens + h.output_tokens AS pricing_quantity,
  'Tokens' AS pricing_unit,
  h.input_tokens + h.cache_read_tokens + h.cache_write_tokens + h.output_tokens AS consumed_quantity,
  'Tokens' AS consumed_unit,
  h.cost_usd AS billed_cost,
  h.cost_usd AS effective_cost,
  h.cost_usd AS contracted_cost,
  coalesce(h.list_usd, h.cost_usd) AS list_cost,
  h.model AS x_model,
  h.model_group_requested AS x_model_group,
  h.lane AS x_lane,
  h.category AS x_category,
  h.session_type AS x_session_type,
  h.trigger AS x_trigger,
  h.team_id AS x_team_id,
  h.ticket_key AS x_ticket_key,
  h.cost_basis AS x_cost_basis,
  h.is_priced AS x_is_priced,
  h.requests AS x_requests,
  h.input_tokens AS x_input_tokens,
  h.cache_read_tokens AS x_cache_read_tokens,
  h.cache_write_tokens AS x_cache_write_tokens,
  h.output_tokens AS x_output_tokens
FROM charges h
