-- What did each ticket cost, by the key sent along or else the only one in the turn's text? (all time, dearest first)
WITH calls AS (
  SELECT
    coalesce(c.ticket_key, CASE WHEN t.ticket_keys NOT LIKE '% %' THEN nullif(t.ticket_keys, '') END) AS ticket,
    c.ticket_key IS NOT NULL AS is_sent_along, c.*
  FROM core.calls c
  LEFT JOIN core.turns t USING (turn_id)
)
SELECT
  ticket, count(*) FILTER (WHERE is_request) AS calls, count(*) FILTER (WHERE is_request AND is_sent_along) AS calls_by_sent_key,
  count(DISTINCT session_id) AS sessions, string_agg(DISTINCT lane, ', ' ORDER BY lane) AS agents,
  string_agg(DISTINCT method, ', ' ORDER BY method) AS methods,
  coalesce(sum(total_tokens) FILTER (WHERE tokens_basis = 'reported'), 0) AS total_tokens,
  round(coalesce(sum(cost_usd), 0), 4) AS cost_usd, round(sum(list_usd), 4) AS list_usd,
  min(started_at) AS first_at, max(started_at) AS last_at
FROM calls
WHERE ticket IS NOT NULL
GROUP BY ticket
ORDER BY cost_usd DESC, list_usd DESC NULLS LAST, ticket
