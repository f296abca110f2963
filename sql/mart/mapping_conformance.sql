-- Whether work uses the model it is mapped to: operations their tier, ticket methods their model.
-- The map is [mapping.operations] (category -> tier) and [mapping.methods] (method -> model or model group) of the settings.
-- as_mapped: what was asked for or what served is what the map says. asked_other: another was asked for. served_other: the
-- right one was asked for and a fallback served another. sql/adhoc/mapping_conformance.sql lists the calls.
-- Grain: one row per (window_id, kind, name, asked, served, verdict).
-- Columns:
--   window_id  window
--   kind  operation or method
--   name  category, or ticket method in lower case
--   expected  tier or model that the map says
--   asked  tier (for methods: model group) asked for; none when it is in no tier
--   served  tier (for methods: model) that served; none when it is in no tier
--   verdict  as_mapped, asked_other or served_other
--   calls  model requests
--   share  of the requests of the name, 0 to 1; NULL when it has none
--   total_tokens  reported tokens
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   first_at  first call (UTC)
--   last_at  last call (UTC)
WITH operations AS (
  SELECT
    u.window_id, 'operation' AS kind, m.name, m.expected,
    coalesce(u.requested_tier, 'none') AS asked,
    CASE WHEN u.is_fallback THEN coalesce(g.tier, s.tier, 'none') ELSE coalesce(u.requested_tier, 'none') END AS served,
    u.calls, u.total_tokens, u.list_usd, u.first_at, u.last_at
  FROM core.window_model_usage u
  JOIN conf.model_map m ON m.kind = 'operation' AND m.name = u.category
  LEFT JOIN conf.tiers g ON g.model = u.model_group_served
  LEFT JOIN conf.tiers s ON s.model = u.model
),
methods AS (
  SELECT
    u.window_id, 'method' AS kind, m.name, m.expected,
    CASE
      -- a concrete model is mapped: whichever group led to it, it was the right one
      WHEN u.model = m.expected OR right(u.model, length(m.expected) + 1) = '/' || m.expected THEN m.expected
      ELSE coalesce(u.model_group_requested, '')
    END AS asked,
    CASE
      WHEN u.model = m.expected OR right(u.model, length(m.expected) + 1) = '/' || m.expected THEN m.expected
      WHEN NOT coalesce(u.is_fallback, false) AND u.model_group_requested = m.expected THEN m.expected
      ELSE coalesce(u.model, '')
    END AS served,
    u.calls, u.total_tokens, u.list_usd, u.first_at, u.last_at
  FROM core.window_model_usage u
  JOIN conf.model_map m ON m.kind = 'method' AND m.name = lower(u.method)
),
judged AS (
  SELECT
    o.*,
    CASE
      WHEN o.asked <> o.expected THEN 'asked_other'
      WHEN o.served <> o.expected THEN 'served_other'
      ELSE 'as_mapped'
    END AS verdict
  FROM (SELECT p.* FROM operations p UNION ALL SELECT q.* FROM methods q) o
),
grouped AS (
  SELECT
    j.window_id, j.kind, j.name, j.expected, j.asked, j.served, j.verdict,
    CAST(sum(j.calls) AS BIGINT) AS calls,
    CAST(sum(j.total_tokens) AS BIGINT) AS total_tokens,
    CAST(sum(j.list_usd) AS DECIMAL(28,12)) AS list_usd,
    min(j.first_at) AS first_at,
    max(j.last_at) AS last_at
  FROM judged j
  GROUP BY j.window_id, j.kind, j.name, j.expected, j.asked, j.served, j.verdict
)
SELECT
  g.window_id, g.kind, g.name, g.expected, g.asked, g.served, g.verdict, g.calls,
  CAST(g.calls AS DOUBLE)
    / nullif(CAST(sum(g.calls) OVER (PARTITION BY g.window_id, g.kind, g.name) AS DOUBLE), 0) AS share,
  g.total_tokens, g.list_usd, g.first_at, g.last_at
FROM grouped g
