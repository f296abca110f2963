-- Where a smaller tier might do: work above the tier that the settings name for it, and work whose turns look simple.
-- Evidence to try something on, never an order: savings are at list prices and suppose as many tokens as before, and no method
-- is moved below its floor. Work that always fails is left out. Of work that only LiteLLM saw nothing tells whether it used
-- tools: only its target counts.
-- Grain: one row per (window_id, category, job_name, method, requested_tier) that a smaller tier is suggested for.
-- Columns:
--   window_id  window
--   category  what the operator calls the work
--   job_name  cron job or webhook task name; NULL for other work
--   method  method the client sent along; NULL when it sent none
--   requested_tier  tier asked for
--   suggested_tier  the target, else one tier smaller; never below the floor of the method
--   reason  above target, simple turns, or both
--   target_tier  tier of the category in the settings; NULL when it has none
--   floor_tier  smallest tier for the method in the settings; NULL when it has none
--   calls  model requests
--   error_share  of these, failed or aborted, 0 to 1
--   retries  retries inside the model group that answered
--   turns  turns that began in the window and asked for this tier only
--   simple_turns  of these, one successful request without tools and retries and a short answer, or an empty poll
--   simple_share  simple_turns of turns, 0 to 1; NULL without turns
--   empty_polls  of the turns, those whose answer only says that there was nothing to do
--   output_tokens_per_call  reported output tokens per request
--   unpriced_tokens  reported tokens without a list price: the saving leaves them out of the present cost
--   cost_usd  present cost on the configured basis (USD)
--   list_usd  present cost at list prices (USD); NULL when nothing is priced
--   suggested_list_usd  the same tokens at list prices of the suggested tier (USD); NULL when it has none
--   saving_list_usd  list_usd minus suggested_list_usd (USD); NULL when either is unknown
--   suggested_model  model whose list prices stand for the suggested tier
WITH turns AS (
  SELECT
    w.window_id, u.category, u.job_name, u.method, u.requested_tier,
    count(*) AS turns,
    count(*) FILTER (WHERE u.is_simple) AS simple_turns,
    count(*) FILTER (WHERE u.is_empty_poll) AS empty_polls
  FROM core.windows w
  JOIN core.work_units u ON u.started_at >= w.starts_at AND u.started_at < w.ends_at
  GROUP BY w.window_id, u.category, u.job_name, u.method, u.requested_tier
),
judged AS (
  SELECT
    k.*,
    present.position AS position,
    target.tier AS target_tier,
    low.tier AS floor_tier,
    coalesce(low.position, 1) AS floor_position,
    coalesce(t.turns, 0) AS turns,
    coalesce(t.simple_turns, 0) AS simple_turns,
    coalesce(t.empty_polls, 0) AS empty_polls,
    CAST(t.simple_turns AS DOUBLE) / nullif(CAST(t.turns AS DOUBLE), 0) AS simple_share,
    coalesce(present.position > target.position, false) AS is_above_target,
    coalesce(CAST(t.simple_turns AS DOUBLE) >= h.simple_share * CAST(t.turns AS DOUBLE), false) AS is_simple,
    target.position AS target_position
  FROM core.tier_work k
  JOIN conf.tier_order present ON present.tier = k.requested_tier
  LEFT JOIN turns t
    ON t.window_id = k.window_id AND t.category = k.category AND t.requested_tier = k.requested_tier
    AND coalesce(t.job_name, '') = coalesce(k.job_name, '') AND coalesce(t.method, '') = coalesce(k.method, '')
  LEFT JOIN conf.target_tiers g ON g.category = k.category
  LEFT JOIN conf.tier_order target ON target.tier = g.tier
  LEFT JOIN conf.tier_floors f ON f.method = lower(k.method)
  LEFT JOIN conf.tier_order low ON low.tier = f.tier
  CROSS JOIN conf.agent_thresholds h
  WHERE k.error_calls < k.calls
),
suggested AS (
  SELECT
    j.*,
    greatest(
      CASE
        WHEN j.is_above_target THEN j.target_position
        WHEN j.is_simple AND j.target_position IS NULL THEN j.position - 1
        ELSE j.position
      END,
      j.floor_position
    ) AS suggested_position
  FROM judged j
),
priced AS (
  SELECT
    s.*,
    o.tier AS suggested_tier,
    p.priced_as AS suggested_model,
    CAST(
      CAST(p.input_price * CAST(s.input_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(p.cache_read_price * CAST(s.cache_read_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(p.cache_write_price * CAST(s.cache_write_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      + CAST(p.output_price * CAST(s.output_tokens AS DECIMAL(19,0)) AS DECIMAL(28,12))
      AS DECIMAL(28,12)) AS suggested_list_usd
  FROM suggested s
  JOIN conf.tier_order o ON o.position = s.suggested_position
  JOIN conf.windows w ON w.window_id = s.window_id
  LEFT JOIN core.tier_prices p
    ON p.tier = o.tier AND p.min_prompt_tokens = 0 AND w.last_date >= p.valid_from AND w.last_date < p.valid_to
  WHERE s.suggested_position < s.position
)
SELECT
  r.window_id, r.category, r.job_name, r.method, r.requested_tier, r.suggested_tier,
  CASE WHEN r.is_above_target AND r.is_simple THEN 'both' WHEN r.is_above_target THEN 'above target' ELSE 'simple turns' END AS reason,
  r.target_tier, r.floor_tier, r.calls,
  CAST(r.error_calls AS DOUBLE) / nullif(CAST(r.calls AS DOUBLE), 0) AS error_share,
  r.retries, r.turns, r.simple_turns, r.simple_share, r.empty_polls,
  CAST(r.output_tokens AS DOUBLE) / nullif(CAST(r.calls AS DOUBLE), 0) AS output_tokens_per_call,
  r.unpriced_tokens, r.cost_usd, r.list_usd, r.suggested_list_usd,
  CAST(r.list_usd - r.suggested_list_usd AS DECIMAL(28,12)) AS saving_list_usd,
  r.suggested_model
FROM priced r
