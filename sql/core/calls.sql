-- Model calls: every attempt that OpenClaw or LiteLLM recorded, both sides of the same call in one row, and calls that only spans
-- of traces tell of (core.spans says which; a run of an older OpenClaw, whose spans tell no single calls, stands as one call).
-- OpenClaw says why the call was made, LiteLLM what served it and what was paid. Token sums count rows whose
-- tokens_basis is 'reported'; counts of calls count rows with is_request. An OpenClaw error line whose failed requests LiteLLM
-- logged is these requests, not a call more.
-- Grain: one row per model call attempt that some source recorded (call_id).
-- Columns:
--   call_id  oc/agent/session/line for what OpenClaw saw, ll/request_id for what only LiteLLM saw and for failed requests,
--         ot/... for what only spans tell of
--   source  both, openclaw, litellm or otel
--   match_rule  how the two sides were joined: response_id, tokens_time, error_window, or none
--   request_id  LiteLLM's key of the call
--   litellm_call_id  LiteLLM's call id
--   line_id  OpenClaw's transcript line
--   host  machine of the agent
--   agent_id  OpenClaw agent; NULL when only LiteLLM saw the call, or a span that does not name it
--   lane  whose work it is: the agent, else the lane or alias of the virtual key
--   session_key  session key
--   session_id  OpenClaw session; NULL when OpenClaw did not record the call
--   turn_id  turn
--   started_at  start of the call (UTC)
--   ended_at  end of the call (UTC)
--   first_token_at  first token (UTC), LiteLLM only
--   latency_ms  from the request's arrival at the gateway to the end of the answer (milliseconds), LiteLLM only
--   first_token_ms  from there to the first token (milliseconds); NULL when all came at once
--   local_date  date in the configured time zone
--   local_week  ISO week in the configured time zone
--   session_type  main, heartbeat, cron, subagent, webhook, system_event, channel, dm, named, acp, llm_task,
--         worker, api, maintenance or unknown
--   type_evidence  what decided the type: run, provenance, mark, key, first mark, other turns, gateway, span, none, or
--         compaction: a request by the agent's key that ended when the one compaction was written
--   category  what the operator calls the work
--   trigger  human or autonomous
--   job_id  cron job
--   job_name  cron job or webhook task name
--   requested_tier  tier of the model group asked for, by the configured map, else of the concrete model that served
--         without a fallback; NULL when both are in none
--   model_group_requested  model group asked for
--   model_group_served  model group that served
--   provider  provider that served, else the one configured in OpenClaw
--   model  model that served, else the one configured in OpenClaw
--   deployment_id  LiteLLM deployment that served
--   is_fallback  whether the gateway fell back; NULL unknown
--   attempted_fallbacks  hops of the gateway away from the first deployment; NULL unknown
--   attempted_retries  retries inside the group that answered
--   key_alias  alias of the virtual key
--   key_hash  sha256 of the virtual key
--   team_id  team of the key
--   end_user  end user sent with the request
--   is_request  false for attempt rows, health checks and model-list probes
--   input_tokens  input tokens, cached ones excluded
--   cache_read_tokens  tokens read from the prompt cache
--   cache_write_tokens  tokens written to the prompt cache
--   cache_write_1h_tokens  of these, written with the one-hour lifetime
--   output_tokens  output tokens, reasoning included
--   reasoning_tokens  reasoning tokens
--   total_tokens  input + cache read + cache write + output
--   openclaw_tokens  tokens that OpenClaw wrote down, of pairs equal to total_tokens; NULL when only LiteLLM saw the call
--   tokens_basis  reported, estimated or repeated (core.gateway_calls); only reported ones are in token sums
--   estimate_usd  OpenClaw's own cost (USD)
--   spend_usd  LiteLLM's spend (USD); of a call that only a span tells of, the cost that the span states
--   list_usd  cost at the public list price of the day (USD); NULL when no price is known
--   cost_usd  the configured basis: spend, else the estimate (USD)
--   cost_basis  which figure cost_usd is: spend, estimate or list; NULL when there is none
--   status  ok, error or aborted
--   error_kind  what went wrong
--   ticket_key  ticket the client sent along
--   method  method the client sent along
--   pipeline  pipeline the client sent along
--   step  pipeline step the client sent along
WITH openclaw AS (
  SELECT
    l.session_no, l.line_no, l.turn_no, l.host, l.line_id, l.written_at,
    coalesce(l.started_at, l.written_at) AS started_at,
    l.provider, l.model, l.stop_reason, l.error_kind, l.estimate_usd,
    coalesce(l.input_tokens, 0) AS input_tokens,
    coalesce(l.cache_read_tokens, 0) AS cache_read_tokens,
    coalesce(l.cache_write_tokens, 0) AS cache_write_tokens,
    coalesce(l.output_tokens, 0) AS output_tokens,
    coalesce(l.reasoning_tokens, 0) AS reasoning_tokens
  FROM core.transcript_lines l
  WHERE l.kind = 'assistant'
),
litellm AS (
  SELECT
    g.*, m.match_rule, m.session_no, m.line_no,
    s.request_id IS NOT NULL AS is_compaction,
    -- The text of a time is the one portable way to its milliseconds.
    extract(day FROM date_trunc('day', g.ended_at) - date_trunc('day', g.started_at)) * 86400000
    + (hour(g.ended_at) - hour(g.started_at)) * 3600000
    + (minute(g.ended_at) - minute(g.started_at)) * 60000
    + (second(g.ended_at) - second(g.started_at)) * 1000
    + CAST(left(substring(CAST(g.ended_at AS STRING), 21, 3) || '000', 3) AS BIGINT)
    - CAST(left(substring(CAST(g.started_at AS STRING), 21, 3) || '000', 3) AS BIGINT) AS latency_ms,
    CASE WHEN g.first_token_at < g.ended_at THEN
      extract(day FROM date_trunc('day', g.first_token_at) - date_trunc('day', g.started_at)) * 86400000
      + (hour(g.first_token_at) - hour(g.started_at)) * 3600000
      + (minute(g.first_token_at) - minute(g.started_at)) * 60000
      + (second(g.first_token_at) - second(g.started_at)) * 1000
      + CAST(left(substring(CAST(g.first_token_at AS STRING), 21, 3) || '000', 3) AS BIGINT)
      - CAST(left(substring(CAST(g.started_at AS STRING), 21, 3) || '000', 3) AS BIGINT)
    END AS first_token_ms
  FROM core.gateway_calls g
  LEFT JOIN core.matches m ON m.request_id = g.request_id
  LEFT JOIN core.compaction_requests s ON s.request_id = g.request_id
),
-- What is told of turns is joined after the two sides: most of it need not be carried through the large join.
joined AS (
  SELECT
    CASE WHEN o.line_id IS NULL OR g.match_rule = 'error_window' THEN 'll/' || g.request_id
      ELSE 'oc/' || t.agent_id || '/' || t.session_id || '/' || o.line_id END AS call_id,
    CASE WHEN g.request_id IS NULL THEN 'openclaw' WHEN o.line_id IS NULL THEN 'litellm' ELSE 'both' END AS source,
    coalesce(g.match_rule, 'none') AS match_rule,
    g.request_id, g.litellm_call_id, o.line_id, o.host, t.agent_id,
    t.session_key, t.session_id, t.turn_id,
    CASE WHEN g.match_rule = 'error_window' THEN g.started_at ELSE coalesce(o.started_at, g.started_at) END AS started_at,
    CASE WHEN g.match_rule = 'error_window' THEN g.ended_at ELSE coalesce(o.written_at, g.ended_at) END AS ended_at,
    g.first_token_at, g.latency_ms, g.first_token_ms,
    CASE WHEN g.is_compaction THEN 'maintenance' ELSE coalesce(t.session_type, g.session_type) END AS session_type,
    CASE WHEN g.is_compaction THEN 'compaction' ELSE coalesce(t.evidence, 'gateway') END AS type_evidence,
    coalesce(t.trigger, 'autonomous') AS trigger,
    t.job_id, t.job_name,
    g.category AS tag,
    coalesce(g.model_group_requested, o.model) AS model_group_requested,
    g.model_group_served,
    coalesce(g.provider, o.provider) AS provider,
    coalesce(g.model, o.model) AS model,
    g.deployment_id, g.is_fallback, g.attempted_fallbacks, g.attempted_retries, g.key_alias, g.key_hash, g.team_id, g.end_user,
    coalesce(g.is_request, true) AS is_request,
    -- On a pair the gateway's split is kept: some OpenClaw versions count cache writes as plain input.
    coalesce(g.input_tokens, o.input_tokens) AS input_tokens,
    coalesce(g.cache_read_tokens, o.cache_read_tokens) AS cache_read_tokens,
    coalesce(g.cache_write_tokens, o.cache_write_tokens) AS cache_write_tokens,
    coalesce(g.cache_write_1h_tokens, 0) AS cache_write_1h_tokens,
    coalesce(g.output_tokens, o.output_tokens) AS output_tokens,
    coalesce(g.reasoning_tokens, o.reasoning_tokens) AS reasoning_tokens,
    o.input_tokens + o.cache_read_tokens + o.cache_write_tokens + o.output_tokens AS openclaw_tokens,
    coalesce(g.tokens_basis, 'reported') AS tokens_basis,
    o.estimate_usd,
    g.spend_usd,
    CASE
      WHEN o.stop_reason = 'error' THEN 'error'
      WHEN o.stop_reason = 'aborted' THEN 'aborted'
      ELSE coalesce(g.status, 'ok')
    END AS status,
    coalesce(g.error_kind, o.error_kind) AS error_kind,
    g.ticket_key, g.method, g.pipeline, g.step
  FROM litellm g
  FULL OUTER JOIN openclaw o ON o.session_no = g.session_no AND o.line_no = g.line_no
  LEFT JOIN core.turns t ON t.session_no = o.session_no AND t.turn_no = o.turn_no
),
gaps AS (
  SELECT
    'ot/' || s.span_key AS call_id, 'otel' AS source, 'none' AS match_rule,
    CAST(NULL AS STRING) AS request_id, s.litellm_call_id, CAST(NULL AS STRING) AS line_id,
    CAST(NULL AS STRING) AS host, s.agent_id,
    CAST(NULL AS STRING) AS session_key, CAST(NULL AS STRING) AS session_id, CAST(NULL AS STRING) AS turn_id,
    s.started_at, s.ended_at, CAST(NULL AS TIMESTAMP) AS first_token_at,
    CAST(NULL AS BIGINT) AS latency_ms, CAST(NULL AS BIGINT) AS first_token_ms,
    s.session_type, 'span' AS type_evidence, 'autonomous' AS trigger,
    CAST(NULL AS STRING) AS job_id, CAST(NULL AS STRING) AS job_name, s.category AS tag,
    s.model_group_requested, CAST(NULL AS STRING) AS model_group_served, s.provider, s.model,
    CAST(NULL AS STRING) AS deployment_id, CAST(NULL AS BOOLEAN) AS is_fallback,
    CAST(NULL AS BIGINT) AS attempted_fallbacks, CAST(NULL AS BIGINT) AS attempted_retries,
    s.key_alias, s.key_hash, CAST(NULL AS STRING) AS team_id, CAST(NULL AS STRING) AS end_user, true AS is_request,
    s.input_tokens, s.cache_read_tokens, s.cache_write_tokens, CAST(0 AS BIGINT) AS cache_write_1h_tokens,
    s.output_tokens, s.reasoning_tokens, CAST(NULL AS BIGINT) AS openclaw_tokens, 'reported' AS tokens_basis,
    CAST(NULL AS DECIMAL(18,12)) AS estimate_usd, s.cost_usd AS spend_usd,
    s.status, s.error_kind, s.request_ticket_key AS ticket_key, s.method, s.pipeline, s.step
  FROM core.spans s
  WHERE s.state = 'gap'
),
known AS (
  SELECT j.* FROM joined j
  UNION ALL
  SELECT g.* FROM gaps g
),
placed AS (
  SELECT
    j.*,
    CASE WHEN j.started_at >= h.midnight_at THEN h.next_date ELSE h.local_date END AS local_date,
    CASE WHEN j.started_at >= h.midnight_at THEN h.next_week ELSE h.local_week END AS local_week,
    coalesce(j.agent_id, n.lane, j.key_alias, 'no key alias') AS lane,
    c.category
  FROM known j
  LEFT JOIN conf.hours h ON h.starts_at = CAST(date_trunc('hour', j.started_at) AS TIMESTAMP)
  LEFT JOIN conf.lanes n ON n.key_alias = j.key_alias
  LEFT JOIN core.categories c
    ON c.session_type = j.session_type
    AND c.job_name = lower(coalesce(j.job_name, ''))
    AND c.method = lower(coalesce(j.method, ''))
    AND c.tag = lower(coalesce(j.tag, ''))
),
products AS (
  SELECT
    x.*,
    p.input_price * CAST(x.input_tokens AS DECIMAL(19,0)) AS input_usd,
    p.cache_read_price * CAST(x.cache_read_tokens AS DECIMAL(19,0)) AS cache_read_usd,
    p.cache_write_price * CAST(x.cache_write_tokens - x.cache_write_1h_tokens AS DECIMAL(19,0)) AS cache_write_usd,
    p.cache_write_1h_price * CAST(x.cache_write_1h_tokens AS DECIMAL(19,0)) AS cache_write_1h_usd,
    p.output_price * CAST(x.output_tokens AS DECIMAL(19,0)) AS output_usd
  FROM placed x
  LEFT JOIN core.list_prices p
    ON p.provider = coalesce(x.provider, '')
    AND p.model = coalesce(x.model, '')
    AND x.local_date >= p.valid_from AND x.local_date < p.valid_to
    AND x.input_tokens + x.cache_read_tokens + x.cache_write_tokens >= p.min_prompt_tokens
    AND x.input_tokens + x.cache_read_tokens + x.cache_write_tokens < p.max_prompt_tokens
),
priced AS (
  SELECT
    x.*,
    CASE
      WHEN x.tokens_basis <> 'reported' THEN CAST(NULL AS DECIMAL(18,12))
      -- The same sum as below. DuckDB rounds products of 18 digits twenty times as fast as longer ones, and all but
      -- absurd ones have no more.
      WHEN greatest(x.input_usd, x.cache_read_usd, x.cache_write_usd, x.cache_write_1h_usd, x.output_usd) < 9999 THEN CAST(
        CAST(CAST(x.input_usd AS DECIMAL(18,14)) AS DECIMAL(18,12))
        + CAST(CAST(x.cache_read_usd AS DECIMAL(18,14)) AS DECIMAL(18,12))
        + CAST(CAST(x.cache_write_usd AS DECIMAL(18,14)) AS DECIMAL(18,12))
        + CAST(CAST(x.cache_write_1h_usd AS DECIMAL(18,14)) AS DECIMAL(18,12))
        + CAST(CAST(x.output_usd AS DECIMAL(18,14)) AS DECIMAL(18,12))
        AS DECIMAL(18,12))
      ELSE CAST(
        CAST(x.input_usd AS DECIMAL(18,12))
        + CAST(x.cache_read_usd AS DECIMAL(18,12))
        + CAST(x.cache_write_usd AS DECIMAL(18,12))
        + CAST(x.cache_write_1h_usd AS DECIMAL(18,12))
        + CAST(x.output_usd AS DECIMAL(18,12))
        AS DECIMAL(18,12))
    END AS list_usd
  FROM products x
)
SELECT
  y.call_id, y.source, y.match_rule, y.request_id, y.litellm_call_id, y.line_id, y.host, y.agent_id, y.lane,
  y.session_key, y.session_id, y.turn_id, y.started_at, y.ended_at, y.first_token_at,
  y.latency_ms, y.first_token_ms, y.local_date, y.local_week,
  y.session_type, y.type_evidence, y.category, y.trigger, y.job_id, y.job_name,
  coalesce(i.tier, k.tier) AS requested_tier, y.model_group_requested, y.model_group_served, y.provider, y.model, y.deployment_id,
  y.is_fallback, y.attempted_fallbacks, y.attempted_retries,
  y.key_alias, y.key_hash, y.team_id, y.end_user, y.is_request,
  y.input_tokens, y.cache_read_tokens, y.cache_write_tokens, y.cache_write_1h_tokens, y.output_tokens, y.reasoning_tokens,
  y.input_tokens + y.cache_read_tokens + y.cache_write_tokens + y.output_tokens AS total_tokens,
  y.openclaw_tokens, y.tokens_basis, y.estimate_usd, y.spend_usd, y.list_usd,
  CASE r.cost_basis
    WHEN 'spend' THEN coalesce(y.spend_usd, y.estimate_usd)
    WHEN 'estimate' THEN coalesce(y.estimate_usd, y.spend_usd)
    ELSE y.list_usd
  END AS cost_usd,
  CASE
    WHEN r.cost_basis = 'spend' AND y.spend_usd IS NOT NULL THEN 'spend'
    WHEN r.cost_basis = 'spend' AND y.estimate_usd IS NOT NULL THEN 'estimate'
    WHEN r.cost_basis = 'estimate' AND y.estimate_usd IS NOT NULL THEN 'estimate'
    WHEN r.cost_basis = 'estimate' AND y.spend_usd IS NOT NULL THEN 'spend'
    WHEN r.cost_basis = 'list' AND y.list_usd IS NOT NULL THEN 'list'
  END AS cost_basis,
  y.status, y.error_kind, y.ticket_key, y.method, y.pipeline, y.step
FROM priced y
CROSS JOIN conf.run r
LEFT JOIN conf.tiers i ON i.model = y.model_group_requested
LEFT JOIN conf.tiers k ON k.model = y.model AND NOT coalesce(y.is_fallback, false)
