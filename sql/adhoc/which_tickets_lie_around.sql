-- Which tickets in progress lie around, why, and what did the polls that met them cost? (most poll tokens first)
SELECT
  agent_id AS agent, ticket_key AS ticket, status_kind AS status, action, in_progress AS of_the_agent, is_stale, reason,
  quiet_days, last_call_at, tokens_in_status, polls, poll_tokens, round(poll_cost_usd, 4) AS poll_usd
FROM mart.wip_audit
ORDER BY poll_tokens DESC, quiet_days DESC, agent, ticket
