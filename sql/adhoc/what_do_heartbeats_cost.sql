-- What do the heartbeats of each agent cost a day, and which share of all its work is that? (last 7 days, dearest first)
SELECT
  lane AS agent,
  sum(calls) FILTER (WHERE session_type = 'heartbeat') AS heartbeat_calls,
  sum(empty_polls) FILTER (WHERE session_type = 'heartbeat') AS found_nothing,
  sum(total_tokens) FILTER (WHERE session_type = 'heartbeat') AS heartbeat_tokens,
  round(100 * sum(total_tokens) FILTER (WHERE session_type = 'heartbeat') / nullif(sum(total_tokens), 0), 1) AS percent_of_tokens,
  round(sum(cost_usd) FILTER (WHERE session_type = 'heartbeat') / 7, 4) AS cost_usd_a_day,
  round(sum(list_usd) FILTER (WHERE session_type = 'heartbeat') / 7, 4) AS list_usd_a_day,
  round(100 * CAST(sum(rank_usd) FILTER (WHERE session_type = 'heartbeat') AS DOUBLE) / nullif(sum(rank_usd), 0), 1)
    AS percent_of_cost
FROM core.window_usage
WHERE window_id = 'trailing_7d' AND NOT is_previous
GROUP BY lane
HAVING heartbeat_calls > 0
ORDER BY cost_usd_a_day DESC, list_usd_a_day DESC, agent
