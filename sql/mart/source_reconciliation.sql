-- Both books side by side, day by day: what each source has of an agent and key, what is matched, and how pairs differ.
-- Token counts of pairs must be equal; OpenClaw's estimate and LiteLLM's spend differ where OpenClaw knows other prices.
-- Why the rest is unmatched is in mart.unmatched_calls; LiteLLM's own counters are in mart.gateway_reconciliation.
-- Grain: one row per (local_date, host, agent_id, key_alias).
-- Columns:
--   local_date  date in the configured time zone; NULL when no source says when
--   host  machine of the agent; NULL when only LiteLLM has calls
--   agent_id  agent; NULL when only LiteLLM has calls
--   key_alias  alias of the virtual key; NULL when only OpenClaw has calls, or the key has none
--   openclaw_calls  calls that OpenClaw has
--   litellm_requests  requests that LiteLLM has
--   matched_by_id  pairs by response id
--   matched_by_tokens  pairs by tokens and time
--   error_requests  failed requests that stand for an OpenClaw error line
--   openclaw_only  calls that LiteLLM has no row of
--   litellm_only  requests that OpenClaw has no line of
--   matched_share  pairs of OpenClaw's successful calls, 0 to 1; NULL when it has none
--   openclaw_tokens  tokens of pairs as OpenClaw has them
--   litellm_tokens  tokens of pairs as LiteLLM has them
--   token_difference  LiteLLM's less OpenClaw's: 0 unless something is wrong
--   estimate_usd  cost of pairs as OpenClaw estimates it (USD); NULL when it estimates none of them
--   spend_usd  cost of the pairs that have an estimate as LiteLLM logs it (USD)
--   spend_difference_usd  LiteLLM's less OpenClaw's (USD)
WITH sides AS (
  SELECT
    c.local_date, c.host, c.agent_id, c.key_alias, c.source, c.match_rule, c.status, c.is_request, c.total_tokens,
    c.estimate_usd, c.spend_usd,
    c.match_rule IN ('response_id', 'tokens_time') AS is_pair,
    c.openclaw_tokens
  FROM core.calls c
  WHERE c.source <> 'otel'
),
added AS (
  SELECT
    s.local_date, s.host, s.agent_id, s.key_alias,
    count(*) FILTER (WHERE s.source = 'openclaw' OR s.is_pair) AS openclaw_calls,
    count(*) FILTER (WHERE s.source IN ('both', 'litellm') AND s.is_request) AS litellm_requests,
    count(*) FILTER (WHERE s.match_rule = 'response_id') AS matched_by_id,
    count(*) FILTER (WHERE s.match_rule = 'tokens_time') AS matched_by_tokens,
    count(*) FILTER (WHERE s.match_rule = 'error_window' AND s.is_request) AS error_requests,
    count(*) FILTER (WHERE s.source = 'openclaw') AS openclaw_only,
    count(*) FILTER (WHERE s.source = 'litellm' AND s.is_request) AS litellm_only,
    count(*) FILTER (WHERE s.is_pair) AS pairs,
    count(*) FILTER (WHERE s.is_pair OR (s.source = 'openclaw' AND s.status = 'ok')) AS openclaw_ok_calls,
    coalesce(sum(s.openclaw_tokens) FILTER (WHERE s.is_pair), 0) AS openclaw_tokens,
    coalesce(sum(s.total_tokens) FILTER (WHERE s.is_pair), 0) AS litellm_tokens,
    CAST(sum(s.estimate_usd) FILTER (WHERE s.is_pair) AS DECIMAL(28,12)) AS estimate_usd,
    CAST(sum(s.spend_usd) FILTER (WHERE s.is_pair AND s.estimate_usd IS NOT NULL) AS DECIMAL(28,12)) AS spend_usd
  FROM sides s
  GROUP BY s.local_date, s.host, s.agent_id, s.key_alias
)
SELECT
  a.local_date, a.host, a.agent_id, a.key_alias, a.openclaw_calls, a.litellm_requests, a.matched_by_id,
  a.matched_by_tokens, a.error_requests, a.openclaw_only, a.litellm_only,
  CAST(a.pairs AS DOUBLE) / nullif(CAST(a.openclaw_ok_calls AS DOUBLE), CAST(0 AS DOUBLE)) AS matched_share,
  CAST(a.openclaw_tokens AS BIGINT) AS openclaw_tokens,
  CAST(a.litellm_tokens AS BIGINT) AS litellm_tokens,
  CAST(a.litellm_tokens - a.openclaw_tokens AS BIGINT) AS token_difference,
  a.estimate_usd,
  a.spend_usd,
  CAST(a.spend_usd - a.estimate_usd AS DECIMAL(28,12)) AS spend_difference_usd
FROM added a
