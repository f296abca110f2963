-- How much do people ask for, and how much starts by itself: webhooks against polls, cost and duration? (last 7 days)
SELECT
  trigger,
  started_by,
  session_type,
  sessions,
  turns,
  empty_polls,
  failed_turns,
  calls,
  total_tokens,
  round(rank_usd, 4) AS usd,
  round(100 * rank_share, 1) AS percent,
  round(usd_per_turn, 5) AS usd_per_turn,
  turn_seconds_p50,
  turn_seconds_p95,
  session_seconds_p50,
  session_seconds_p95
FROM mart.sessions_by_trigger
WHERE window_id = 'trailing_7d'
ORDER BY rank_usd DESC, trigger, started_by, session_type;
