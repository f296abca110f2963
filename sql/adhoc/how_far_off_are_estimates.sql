-- What was each ticket estimated at, what did it use, and what would its method's factor have said? (open ones first, then the newest)
SELECT
  ticket_key AS ticket, status_kind AS status, method, agent_id AS agent,
  estimated_tokens, actual_tokens, round(ratio, 2) AS times_its_estimate,
  round(estimated_tokens * p50_factor) AS half_use_at_most, round(p80_tokens) AS four_of_five_use_at_most, is_over_p80,
  coalesce(exclusion, 'counts') AS teaches, cost_usd, started_at, done_at
FROM mart.ticket_calibration
ORDER BY done_at DESC NULLS FIRST, is_over_p80 DESC, ratio DESC NULLS LAST, ticket
