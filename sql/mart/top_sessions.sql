-- The sessions that cost most in a window.
-- Grain: one row per (window_id, position), at most 20 a window.
-- Columns:
--   window_id  window
--   position  1 is the dearest
--   host  machine of the agent
--   agent_id  agent
--   lane  whose work it is
--   session_id  session
--   session_key  session key; NULL when unknown
--   label  label of the session
--   session_type  session type that most of the money went to
--   category  category that most of the money went to
--   model  model that most of the money went to
--   started_at  first call in the window (UTC)
--   ended_at  start of the last call in the window (UTC)
--   turns  turns that began in the window
--   calls  model requests
--   total_tokens  tokens
--   cost_usd  cost on the configured basis (USD)
--   list_usd  cost at list prices (USD); NULL when nothing is priced
--   rank_usd  the money that rankings of the window use (USD)
--   rank_share  rank_usd of the window's rank_usd, 0 to 1; NULL when that is zero
WITH parts AS (
  SELECT
    u.*,
    row_number() OVER (
      PARTITION BY u.window_id, u.agent_id, u.session_id
      ORDER BY
        u.rank_usd DESC NULLS LAST, u.total_tokens DESC NULLS LAST, u.category NULLS LAST, u.session_type NULLS LAST,
        u.model NULLS LAST, u.model_group_requested NULLS LAST, u.provider NULLS LAST
    ) AS n
  FROM core.window_usage u
  WHERE NOT u.is_previous AND u.session_id IS NOT NULL
),
totals AS (
  SELECT
    p.window_id, p.agent_id, p.session_id,
    min(p.host) AS host,
    min(p.lane) AS lane,
    min(p.session_type) FILTER (WHERE p.n = 1) AS session_type,
    min(p.category) FILTER (WHERE p.n = 1) AS category,
    min(p.model) FILTER (WHERE p.n = 1) AS model,
    min(p.first_at) AS started_at,
    max(p.last_at) AS ended_at,
    CAST(sum(p.turns) AS BIGINT) AS turns,
    CAST(sum(p.calls) AS BIGINT) AS calls,
    CAST(sum(p.total_tokens) AS BIGINT) AS total_tokens,
    CAST(coalesce(sum(p.cost_usd), 0) AS DECIMAL(28,12)) AS cost_usd,
    CAST(sum(p.list_usd) AS DECIMAL(28,12)) AS list_usd,
    CAST(coalesce(sum(p.rank_usd), 0) AS DECIMAL(28,12)) AS rank_usd
  FROM parts p
  GROUP BY p.window_id, p.agent_id, p.session_id
),
ranked AS (
  SELECT
    t.*,
    CAST(row_number() OVER (
      PARTITION BY t.window_id
      ORDER BY t.rank_usd DESC NULLS LAST, t.total_tokens DESC NULLS LAST, t.agent_id NULLS LAST, t.session_id NULLS LAST
    ) AS BIGINT) AS position
  FROM totals t
)
SELECT
  r.window_id, r.position, r.host, r.agent_id, r.lane, r.session_id, k.session_key, k.label, r.session_type, r.category,
  r.model, r.started_at, r.ended_at, r.turns, r.calls, r.total_tokens, r.cost_usd, r.list_usd, r.rank_usd,
  CAST(r.rank_usd AS DOUBLE) / nullif(CAST(s.rank_usd AS DOUBLE), 0) AS rank_share
FROM ranked r
JOIN mart.weekly_summary s ON s.window_id = r.window_id
LEFT JOIN core.session_keys k ON k.agent_id = r.agent_id AND k.session_id = r.session_id
WHERE r.position <= 20
