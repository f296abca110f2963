-- LiteLLM's spend logs against LiteLLM's own daily counters. A row is lost when a response id is used again (LiteLLM keeps the
-- first and drops the later ones) or when the proxy ended before writing; the counters still have it.
-- Attempt rows are left out: counters count requests.
-- Grain: one row per (usage_date, key_hash) that logs or counters have.
-- Columns:
--   usage_date  UTC day, as the counters are kept
--   key_hash  sha256 of the virtual key; '' for requests without one
--   key_alias  alias of the key
--   is_settled  whether the day had ended an hour before this run: before that both still grow
--   logged_requests  requests in the spend logs
--   counted_requests  requests by the counters
--   lost_requests  counted, but not logged
--   logged_tokens  prompt and completion tokens in the spend logs
--   counted_tokens  prompt and completion tokens by the counters
--   lost_tokens  counted, but not logged
--   logged_usd  spend in the spend logs (USD)
--   counted_usd  spend by the counters (USD)
--   lost_usd  counted, but not logged (USD)
WITH logged AS (
  SELECT
    CAST(date_trunc('day', s.started_at) AS TIMESTAMP) AS usage_date,
    coalesce(s.key_hash, '') AS key_hash,
    max(s.key_alias) AS key_alias,
    count(*) AS requests,
    sum(coalesce(s.prompt_tokens, 0) + coalesce(s.output_tokens, 0)) AS tokens,
    CAST(sum(coalesce(s.spend_usd, 0)) AS DECIMAL(28,12)) AS usd
  FROM raw.litellm_spend_logs s
  WHERE NOT coalesce(s.is_attempt, false)
  GROUP BY CAST(date_trunc('day', s.started_at) AS TIMESTAMP), coalesce(s.key_hash, '')
),
span AS (
  SELECT min(d.usage_date) AS first_date, max(d.usage_date) AS last_date FROM raw.litellm_daily d
),
both_books AS (
  SELECT
    coalesce(l.usage_date, d.usage_date) AS usage_date,
    coalesce(l.key_hash, d.key_hash) AS key_hash,
    coalesce(d.key_alias, l.key_alias) AS key_alias,
    coalesce(l.requests, 0) AS logged_requests,
    coalesce(d.requests, 0) AS counted_requests,
    coalesce(l.tokens, 0) AS logged_tokens,
    coalesce(d.prompt_tokens, 0) + coalesce(d.output_tokens, 0) AS counted_tokens,
    CAST(coalesce(l.usd, 0) AS DECIMAL(28,12)) AS logged_usd,
    CAST(coalesce(d.spend_usd, 0) AS DECIMAL(28,12)) AS counted_usd
  FROM logged l
  FULL OUTER JOIN raw.litellm_daily d ON d.usage_date = l.usage_date AND d.key_hash = l.key_hash
)
SELECT
  b.usage_date, b.key_hash, b.key_alias,
  b.usage_date + INTERVAL '25' HOUR <= r.as_of AS is_settled,
  b.logged_requests, b.counted_requests,
  b.counted_requests - b.logged_requests AS lost_requests,
  CAST(b.logged_tokens AS BIGINT) AS logged_tokens,
  CAST(b.counted_tokens AS BIGINT) AS counted_tokens,
  CAST(b.counted_tokens - b.logged_tokens AS BIGINT) AS lost_tokens,
  b.logged_usd,
  b.counted_usd,
  CAST(b.counted_usd - b.logged_usd AS DECIMAL(28,12)) AS lost_usd
FROM both_books b
CROSS JOIN conf.run r
JOIN span p ON b.usage_date >= p.first_date AND b.usage_date <= p.last_date
