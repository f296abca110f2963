-- Which calls asked for another tier or model than their work is mapped to, or were served by one? (last 7 days)
WITH calls AS (
  SELECT c.*
  FROM core.calls AS c
  JOIN core.windows AS w ON w.window_id = 'trailing_7d' AND c.started_at >= w.starts_at AND c.started_at < w.ends_at
  WHERE c.is_request
), operations AS (
  SELECT
    m.kind, m.name, m.expected, c.*,
    coalesce(c.requested_tier, 'none') <> m.expected AS asked_other,
    c.is_fallback AND coalesce(g.tier, s.tier, 'none') <> m.expected AS served_other
  FROM calls AS c
  JOIN conf.model_map AS m ON m.kind = 'operation' AND m.name = c.category
  LEFT JOIN conf.tiers AS g ON g.model = c.model_group_served
  LEFT JOIN conf.tiers AS s ON s.model = c.model
), methods AS (
  SELECT
    m.kind, m.name, m.expected, c.*,
    NOT served_right AND c.model_group_requested IS DISTINCT FROM m.expected AS asked_other,
    NOT served_right AND coalesce(c.is_fallback, false) AS served_other
  FROM calls AS c
  JOIN conf.model_map AS m ON m.kind = 'method' AND m.name = lower(c.method)
  CROSS JOIN LATERAL (SELECT coalesce(c.model = m.expected OR ends_with(c.model, '/' || m.expected), false) AS served_right)
)
SELECT
  kind, name, expected, CASE WHEN asked_other THEN 'asked_other' ELSE 'served_other' END AS verdict, started_at, call_id,
  agent_id, session_id, model_group_requested AS asked, model_group_served AS served, model, key_alias, total_tokens,
  list_usd
FROM (FROM operations UNION ALL BY NAME FROM methods)
WHERE asked_other OR served_other
ORDER BY started_at DESC, call_id
