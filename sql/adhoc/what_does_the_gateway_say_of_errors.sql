-- Gateway first: what does the gateway say was wrong in each storm of errors that an agent saw?
SELECT
  agent_id, first_at, last_at, error_lines, agent_error_kind AS agent_saw, gateway_reason,
  round(100 * gateway_reason_share) AS percent, gateway_failures, gateway_reasons
FROM mart.error_storms
ORDER BY first_at DESC, agent_id
