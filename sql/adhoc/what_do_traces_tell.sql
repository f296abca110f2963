-- What do spans tell, and what of it does no other source have? (all time)
SELECT
  s.state, s.kind, s.session_type, count(*) AS spans,
  sum(s.input_tokens + s.cache_read_tokens + s.cache_write_tokens + s.output_tokens) AS total_tokens,
  count(*) FILTER (WHERE coalesce(s.request_ticket_key, s.span_ticket_key, s.resource_ticket_key) IS NOT NULL) AS with_ticket,
  min(s.started_at) AS first_at,
  max(s.ended_at) AS last_at
FROM core.spans s
GROUP BY ALL
UNION ALL
SELECT 'left out', 'neither a model call nor with a ticket', NULL, sum(r.skipped_spans), NULL, NULL, NULL, NULL
FROM raw.otel_reads r
ORDER BY spans DESC, state, kind, session_type
