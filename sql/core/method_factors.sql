-- How far estimates were off, by method, as it could be known at several moments: now, and the beginning (UTC) of each day on which
-- work on a usable ticket began, for the back-test of mart.calibration_backtest. Only tickets done before the moment teach, with all that they used up to now.
-- A ticket's log ratio is the logarithm of actual to estimated tokens. A method's own mean is pulled towards the mean of all
-- methods, the more so the fewer tickets it has and the less methods differ (empirical Bayes; variance between methods after
-- DerSimonian and Laird, variance inside pooled). The P50 factor is what half of the tickets stay under. For P80 each ticket is
-- predicted from all the others, and the 80 % point of these errors (split-conformal rank) is added. All methods have one factor
-- for all tickets, their mean, with errors of its own: larger ones where methods differ.
-- Grain: one row per (fitted_at, method), with a method named all methods.
-- Columns:
--   fitted_at  moment (UTC): tickets done before it are used
--   method  method, no method, or all methods
--   tickets  usable tickets
--   mean_log_ratio  mean of the logarithms of actual to estimated tokens
--   own_weight  share of the method's own mean in its factor, 0 to 1; the rest is the mean of all methods
--   log_p50  mean after pulling
--   log_p80  that plus the 80 % point of errors; NULL with under 4 tickets in all
--   is_enough  at least the configured number of tickets
--   estimated_tokens  mean estimate, in tokens
--   actual_tokens  mean of what the tickets used
WITH usable AS (
  SELECT u.issue_id, u.method, u.log_ratio, u.estimated_tokens, CAST(u.actual_tokens AS DOUBLE) AS actual_tokens, t.started_at, t.done_at
  FROM core.ticket_usage u
  JOIN core.tickets t ON t.issue_id = u.issue_id
  WHERE u.exclusion IS NULL
),
moments AS (
  SELECT r.as_of AS fitted_at
  FROM conf.run r
  UNION
  SELECT CAST(date_trunc('day', u.started_at) AS TIMESTAMP) AS fitted_at
  FROM usable u
),
pairs AS (
  SELECT m.fitted_at, u.issue_id, u.method, u.log_ratio, u.estimated_tokens, u.actual_tokens
  FROM moments m
  JOIN usable u ON u.done_at < m.fitted_at
),
methods AS (
  SELECT
    p.fitted_at, p.method,
    CAST(count(*) AS DOUBLE) AS n,
    avg(p.log_ratio) AS mean,
    avg(p.estimated_tokens) AS estimated,
    avg(p.actual_tokens) AS actual
  FROM pairs p
  GROUP BY p.fitted_at, p.method
),
inside AS (
  SELECT p.fitted_at, sum(power(p.log_ratio - g.mean, 2)) AS squares
  FROM pairs p
  JOIN methods g ON g.fitted_at = p.fitted_at AND g.method = p.method
  GROUP BY p.fitted_at
),
totals AS (
  SELECT
    g.fitted_at,
    sum(g.n) AS n,
    CAST(count(*) AS DOUBLE) AS k,
    sum(g.n * g.mean) / nullif(sum(g.n), 0) AS grand,
    sum(g.n * g.n) AS squared_n,
    sum(g.n * g.estimated) / nullif(sum(g.n), 0) AS estimated,
    sum(g.n * g.actual) / nullif(sum(g.n), 0) AS actual
  FROM methods g
  GROUP BY g.fitted_at
),
-- Without two tickets of one method nothing is known of the variance inside: then methods count as equal.
pooled AS (
  SELECT t.*, CASE WHEN t.n > t.k THEN greatest(i.squares / nullif(t.n - t.k, 0), 0.000000000001E0) END AS sigma2
  FROM totals t
  JOIN inside i ON i.fitted_at = t.fitted_at
),
apart AS (
  SELECT g.fitted_at, sum(g.n * power(g.mean - t.grand, 2)) AS squares
  FROM methods g
  JOIN totals t ON t.fitted_at = g.fitted_at
  GROUP BY g.fitted_at
),
spread AS (
  SELECT
    t.*,
    coalesce(CASE WHEN t.k > 1 THEN
      greatest(0E0, (b.squares / nullif(t.sigma2, 0) - (t.k - 1)) * t.sigma2 / nullif(t.n - t.squared_n / nullif(t.n, 0), 0)) END, 0E0) AS tau2
  FROM pooled t
  JOIN apart b ON b.fitted_at = t.fitted_at
),
weighted AS (
  SELECT
    g.fitted_at, g.method, g.n, g.mean, g.estimated, g.actual,
    CASE WHEN s.tau2 > 0 THEN 1 / nullif(s.tau2 + s.sigma2 / nullif(g.n, 0), 0) ELSE g.n END AS weight,
    CASE WHEN s.tau2 > 0 THEN s.tau2 / nullif(s.tau2 + s.sigma2 / nullif(g.n, 0), 0) ELSE 0E0 END AS own_weight
  FROM methods g
  JOIN spread s ON s.fitted_at = g.fitted_at
),
centre AS (
  SELECT w.fitted_at, sum(w.weight) AS weights, sum(w.weight * w.mean) AS weighted_sum
  FROM weighted w
  GROUP BY w.fitted_at
),
-- Each ticket taken out of its method's mean and of the mean of all; the variances stay.
left_out AS (
  SELECT
    p.fitted_at, p.issue_id, p.log_ratio, w.weight, w.mean, s.n, s.grand,
    CASE WHEN w.n > 1 THEN (w.n * w.mean - p.log_ratio) / nullif(greatest(w.n - 1, 1E0), 0) END AS other_mean,
    CASE WHEN s.tau2 > 0 THEN CASE WHEN w.n > 1 THEN 1 / nullif(s.tau2 + s.sigma2 / nullif(greatest(w.n - 1, 1E0), 0), 0) ELSE 0E0 END
      ELSE w.n - 1 END AS other_weight,
    CASE WHEN s.tau2 > 0 AND w.n > 1 THEN s.tau2 / nullif(s.tau2 + s.sigma2 / nullif(greatest(w.n - 1, 1E0), 0), 0) ELSE 0E0 END AS other_own
  FROM pairs p
  JOIN weighted w ON w.fitted_at = p.fitted_at AND w.method = p.method
  JOIN spread s ON s.fitted_at = p.fitted_at
),
predicted AS (
  SELECT
    l.fitted_at, l.issue_id, l.log_ratio, l.other_own, coalesce(l.other_mean, 0E0) AS other_mean,
    (c.weighted_sum - l.weight * l.mean + l.other_weight * coalesce(l.other_mean, 0E0))
      / nullif(c.weights - l.weight + l.other_weight, 0) AS other_centre,
    (l.log_ratio - l.grand) * l.n / nullif(l.n - 1, 0) AS mean_error
  FROM left_out l
  JOIN centre c ON c.fitted_at = l.fitted_at
),
placed AS (
  SELECT
    e.fitted_at, e.error, e.mean_error,
    row_number() OVER (PARTITION BY e.fitted_at ORDER BY e.error NULLS LAST, e.issue_id NULLS LAST) AS place,
    row_number() OVER (PARTITION BY e.fitted_at ORDER BY e.mean_error NULLS LAST, e.issue_id NULLS LAST) AS mean_place
  FROM (
    SELECT r.fitted_at, r.issue_id, r.mean_error, r.log_ratio - (r.other_own * r.other_mean + (1 - r.other_own) * r.other_centre) AS error
    FROM predicted r
  ) e
),
quantiles AS (
  SELECT
    t.fitted_at,
    max(CASE WHEN p.place = CAST(floor(((t.n + 1) * 4 + 4) / 5) AS BIGINT) THEN p.error END) AS q,
    max(CASE WHEN p.mean_place = CAST(floor(((t.n + 1) * 4 + 4) / 5) AS BIGINT) THEN p.mean_error END) AS mean_q
  FROM totals t
  JOIN placed p ON p.fitted_at = t.fitted_at
  GROUP BY t.fitted_at
),
factors AS (
  SELECT
    w.fitted_at, w.method, w.n, w.mean, w.own_weight,
    w.own_weight * w.mean + (1 - w.own_weight) * c.weighted_sum / nullif(c.weights, 0) AS log_p50,
    q.q, w.estimated, w.actual
  FROM weighted w
  JOIN centre c ON c.fitted_at = w.fitted_at
  JOIN quantiles q ON q.fitted_at = w.fitted_at
  UNION ALL
  SELECT
    t.fitted_at, 'all methods' AS method, t.n, t.grand AS mean, 0E0 AS own_weight, t.grand AS log_p50, q.mean_q AS q, t.estimated, t.actual
  FROM totals t
  JOIN quantiles q ON q.fitted_at = t.fitted_at
)
SELECT
  f.fitted_at,
  f.method,
  CAST(floor(f.n) AS BIGINT) AS tickets,
  f.mean AS mean_log_ratio,
  f.own_weight,
  f.log_p50,
  f.log_p50 + f.q AS log_p80,
  f.n >= s.min_tickets AS is_enough,
  f.estimated AS estimated_tokens,
  f.actual AS actual_tokens
FROM factors f
CROSS JOIN conf.tickets s
