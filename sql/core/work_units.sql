-- Turns as pieces of work: what started each, how long it took, what it used and how simple it looks.
-- Grain: one row per turn_id with a model call.
-- Columns:
--   turn_id  turn
--   host  machine of the agent
--   agent_id  agent
--   session_id  session
--   session_type  session type of the turn
--   trigger  human or autonomous
--   started_by  person, webhook (also a wake that no job asked for), clock (heartbeat or cron job), agent (sub-agents) or
--         program (everything else)
--   category  what the operator calls the work
--   job_id  cron job
--   job_name  cron job or webhook task name
--   method  method the client sent along
--   ticket_key  ticket the client sent along
--   requested_tier  tier that every call of the turn asked for; NULL when they differ or are in none
--   started_at  first line of the turn (UTC)
--   seconds  from the first line to the last, whole seconds
--   calls  model requests
--   error_calls  of these, failed or aborted
--   is_failed  no request succeeded
--   tool_calls  tools that the answers asked for
--   is_empty_poll  the answer only says that there was nothing to do
--   is_simple  one successful request without tools and retries and a short answer (setting agent_thresholds), or an empty poll
--   output_tokens  reported output tokens
--   total_tokens  reported tokens
--   cost_usd  cost on the configured basis (USD); NULL when no call has one
--   list_usd  cost at list prices (USD); NULL when nothing is priced
WITH used AS (
  SELECT
    c.turn_id,
    min(c.category) AS category,
    min(c.method) AS method,
    min(c.ticket_key) AS ticket_key,
    CASE WHEN min(c.requested_tier) = max(c.requested_tier) AND count(c.requested_tier) = count(*)
      THEN min(c.requested_tier) END AS requested_tier,
    count(*) FILTER (WHERE c.is_request) AS calls,
    count(*) FILTER (WHERE c.is_request AND c.status <> 'ok') AS error_calls,
    CAST(sum(coalesce(c.attempted_retries, 0)) AS BIGINT) AS retries,
    CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.output_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS output_tokens,
    CAST(sum(CASE WHEN c.tokens_basis = 'reported' THEN c.total_tokens ELSE CAST(0 AS BIGINT) END) AS BIGINT) AS total_tokens,
    CAST(sum(c.cost_usd) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(c.list_usd) AS DECIMAL(28,12)) AS list_usd
  FROM core.calls c
  GROUP BY c.turn_id
)
SELECT
  t.turn_id, t.host, t.agent_id, t.session_id, t.session_type, t.trigger,
  CASE
    WHEN t.trigger = 'human' THEN 'person'
    WHEN t.session_type IN ('heartbeat', 'cron') THEN 'clock'
    WHEN t.is_cron_wake THEN 'clock'
    WHEN t.session_type IN ('webhook', 'system_event') THEN 'webhook'
    WHEN t.session_type = 'subagent' THEN 'agent'
    ELSE 'program'
  END AS started_by,
  u.category, t.job_id, t.job_name, u.method, u.ticket_key, u.requested_tier, t.started_at,
  CAST(
    extract(day FROM date_trunc('day', t.ended_at) - date_trunc('day', t.started_at)) * 86400
    + (hour(t.ended_at) - hour(t.started_at)) * 3600
    + (minute(t.ended_at) - minute(t.started_at)) * 60
    + (second(t.ended_at) - second(t.started_at)) AS BIGINT) AS seconds,
  u.calls, u.error_calls,
  u.error_calls = u.calls AS is_failed,
  t.tool_calls, t.is_empty_poll,
  t.is_empty_poll OR (
    u.calls = 1 AND u.error_calls = 0 AND u.retries = 0 AND t.tool_calls = 0 AND u.output_tokens <= h.simple_output_tokens
  ) AS is_simple,
  u.output_tokens, u.total_tokens, u.cost_usd, u.list_usd
FROM core.turns t
JOIN used u ON u.turn_id = t.turn_id
CROSS JOIN conf.agent_thresholds h
