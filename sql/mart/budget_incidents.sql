-- Rejections because a budget was spent, in incidents per key: an incident ends when six hours pass without one.
-- What LiteLLM says decides (exception class, its own kind, its fixed phrases), never the status code. What the agent made of
-- it stands beside: OpenClaw reads such an answer as a refused request and goes on to another model.
-- Grain: one row per (key_hash, incident_number).
-- Columns:
--   key_hash  sha256 of the virtual key; '' when none was logged
--   incident_number  1 for the key's first incident
--   key_alias  alias of the key; NULL when it has none
--   local_date  date of the first rejection in the configured time zone
--   first_at  first rejection (UTC)
--   last_at  last rejection (UTC)
--   rejections  rejected requests
--   limit_usd  budget that was exceeded (USD); NULL when neither the rows nor the key tell
--   spend_at_usd  spend at the last rejection (USD); NULL when the proxy does not log it
--   budget_duration  1d, 7d, 30d ...; NULL when unknown
--   budget_reset_at  next budget reset of the key as last seen (UTC)
--   model_groups  model groups hit
--   top_model_group  the one hit most
--   categories  kinds of work hit
--   top_category  the one hit most
--   agents_hit  agents whose transcripts show rejections of it
--   error_lines  error lines that stand for these rejections
--   agent_error_kind  what OpenClaw took most of them for; NULL when no line is joined
--   key_agents  agents known to use the key: another one's work may have spent the budget
WITH rejected AS (
  SELECT
    coalesce(c.key_hash, '') AS key_hash,
    c.key_alias, c.call_id, c.request_id, c.started_at, c.local_date, c.agent_id, c.session_id, c.line_id,
    coalesce(c.model_group_requested, '') AS model_group,
    c.category,
    lag(c.started_at) OVER (
      PARTITION BY coalesce(c.key_hash, '') ORDER BY c.started_at NULLS LAST, c.call_id NULLS LAST
    ) AS before_at
  FROM core.calls c
  WHERE c.error_kind = 'budget' AND c.source IN ('both', 'litellm') AND c.local_date IS NOT NULL
),
numbered AS (
  SELECT
    r.*,
    sum(CASE WHEN r.before_at >= r.started_at - INTERVAL '6' HOUR THEN 0 ELSE 1 END) OVER (
      PARTITION BY r.key_hash ORDER BY r.started_at NULLS LAST, r.call_id NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS incident_number
  FROM rejected r
),
seen AS (
  SELECT
    n.*, s.error_budget_limit_usd, s.error_budget_spend_usd,
    l.error_kind AS agent_error_kind,
    count(*) OVER (PARTITION BY n.key_hash, n.incident_number, n.model_group) AS group_hits,
    count(*) OVER (PARTITION BY n.key_hash, n.incident_number, n.category) AS category_hits,
    count(l.error_kind) OVER (PARTITION BY n.key_hash, n.incident_number, l.error_kind) AS kind_hits
  FROM numbered n
  JOIN raw.litellm_spend_logs s ON s.request_id = n.request_id
  LEFT JOIN core.transcript_lines l
    ON l.agent_id = n.agent_id AND l.session_id = n.session_id AND l.line_id = n.line_id
),
tops AS (
  SELECT
    s.*,
    max(s.group_hits) OVER (PARTITION BY s.key_hash, s.incident_number) AS most_group_hits,
    max(s.category_hits) OVER (PARTITION BY s.key_hash, s.incident_number) AS most_category_hits,
    max(s.kind_hits) OVER (PARTITION BY s.key_hash, s.incident_number) AS most_kind_hits
  FROM seen s
),
owners AS (
  SELECT o.key_hash, count(*) AS agents FROM core.key_owners o GROUP BY o.key_hash
),
incidents AS (
  SELECT
    t.key_hash,
    CAST(t.incident_number AS BIGINT) AS incident_number,
    min(t.local_date) AS local_date,
    min(t.started_at) AS first_at,
    max(t.started_at) AS last_at,
    count(*) AS rejections,
    max(t.error_budget_limit_usd) AS limit_usd,
    max(t.error_budget_spend_usd) AS spend_at_usd,
    count(DISTINCT t.model_group) AS model_groups,
    min(CASE WHEN t.group_hits = t.most_group_hits THEN t.model_group END) AS top_model_group,
    count(DISTINCT t.category) AS categories,
    min(CASE WHEN t.category_hits = t.most_category_hits THEN t.category END) AS top_category,
    count(DISTINCT t.agent_id) AS agents_hit,
    count(DISTINCT t.agent_id || '/' || t.session_id || '/' || t.line_id) AS error_lines,
    min(CASE WHEN t.kind_hits = t.most_kind_hits THEN t.agent_error_kind END) AS agent_error_kind
  FROM tops t
  GROUP BY t.key_hash, t.incident_number
)
SELECT
  i.key_hash, i.incident_number, k.key_alias, i.local_date, i.first_at, i.last_at, i.rejections,
  coalesce(i.limit_usd, k.max_budget_usd) AS limit_usd,
  i.spend_at_usd, k.budget_duration, k.budget_reset_at, i.model_groups, i.top_model_group, i.categories, i.top_category,
  i.agents_hit, i.error_lines, i.agent_error_kind,
  coalesce(o.agents, 0) AS key_agents
FROM incidents i
LEFT JOIN core.virtual_keys k ON k.key_hash = i.key_hash
LEFT JOIN owners o ON o.key_hash = i.key_hash
