-- What the factors would have said of each finished ticket before work on it began: they are those of the beginning (UTC) of that
-- day, worked out from tickets done before it. As for open tickets, a method with too few tickets gets the factors of all methods.
-- A ticket that began when fewer than 4 tickets, or than the configured number, were done is in no row.
-- Grain: one row per usable ticket that could be predicted (issue_id).
-- Columns:
--   issue_id  Jira's id of the ticket
--   method  method; no method when the ticket names none
--   fitted_at  moment of the factors (UTC)
--   done_at  done (UTC): from then on the trial counts
--   learned_from  tickets done before fitted_at
--   log_ratio  logarithm of actual to estimated tokens, as it came out
--   log_p50  the method's P50, as a logarithm
--   log_p80  the method's P80
--   one_log_p50  P50 of one factor for all tickets
--   one_log_p80  P80 of one factor for all tickets
SELECT
  u.issue_id,
  u.method,
  a.fitted_at,
  t.done_at,
  a.tickets AS learned_from,
  u.log_ratio,
  CASE WHEN m.is_enough THEN m.log_p50 ELSE a.log_p50 END AS log_p50,
  CASE WHEN m.is_enough THEN m.log_p80 ELSE a.log_p80 END AS log_p80,
  a.log_p50 AS one_log_p50,
  a.log_p80 AS one_log_p80
FROM core.ticket_usage u
JOIN core.tickets t ON t.issue_id = u.issue_id
JOIN core.method_factors a ON a.method = 'all methods' AND a.fitted_at = CAST(date_trunc('day', t.started_at) AS TIMESTAMP)
LEFT JOIN core.method_factors m ON m.method = u.method AND m.fitted_at = a.fitted_at
WHERE u.exclusion IS NULL AND a.is_enough AND a.log_p80 IS NOT NULL
