-- How far estimates are off, by method: factors that an estimate has to be multiplied with.
-- A ticket's log ratio is the logarithm of actual to estimated tokens. A method's own mean is pulled towards the mean of all
-- methods, the more so the fewer tickets it has and the less methods differ (empirical Bayes; variance between methods after
-- DerSimonian and Laird, variance inside pooled). The P50 factor is what half of the tickets stay under. For P80 each ticket is
-- predicted from all the others, and the 80 % point of these errors (split-conformal rank) is added.
-- Grain: one row per method with a usable ticket, and one named all methods.
-- Columns:
--   method  method, no method, or all methods
--   tickets  usable tickets
--   mean_log_ratio  mean of the logarithms of actual to estimated tokens
--   own_weight  share of the method's own mean in its factor, 0 to 1; the rest is the mean of all methods
--   log_factor  mean after pulling
--   p50_factor  half of the tickets stay under estimate x factor; NULL (n/a) below the configured number of tickets
--   p80_factor  four of five tickets stay under estimate x factor; NULL (n/a) below that number, or with under 4 tickets in all
--   average_estimated_tokens  mean estimate, in tokens
--   average_actual_tokens  mean of what the tickets used
WITH pairs AS (
  SELECT u.issue_id, u.method, u.log_ratio, u.estimated_tokens, CAST(u.actual_tokens AS DOUBLE) AS actual_tokens
  FROM core.ticket_usage u
  WHERE u.exclusion IS NULL
),
methods AS (
  SELECT
    p.method,
    'all methods' AS everything,
    CAST(count(*) AS DOUBLE) AS n,
    avg(p.log_ratio) AS mean,
    avg(p.estimated_tokens) AS estimated,
    avg(p.actual_tokens) AS actual
  FROM pairs p
  GROUP BY p.method
),
inside AS (
  SELECT sum(power(p.log_ratio - g.mean, 2)) AS squares
  FROM pairs p
  JOIN methods g ON g.method = p.method
),
totals AS (
  SELECT
    g.everything AS method,
    sum(g.n) AS n,
    CAST(count(*) AS DOUBLE) AS k,
    sum(g.n * g.mean) / nullif(sum(g.n), 0) AS grand,
    sum(g.n * g.n) AS squared_n,
    sum(g.n * g.estimated) / nullif(sum(g.n), 0) AS estimated,
    sum(g.n * g.actual) / nullif(sum(g.n), 0) AS actual
  FROM methods g
  GROUP BY g.everything
),
-- Without two tickets of one method nothing is known of the variance inside: then methods count as equal.
pooled AS (
  SELECT t.*, CASE WHEN t.n > t.k THEN greatest(i.squares / nullif(t.n - t.k, 0), 0.000000000001E0) END AS sigma2
  FROM totals t
  CROSS JOIN inside i
),
apart AS (
  SELECT sum(g.n * power(g.mean - t.grand, 2)) AS squares
  FROM methods g
  CROSS JOIN pooled t
),
spread AS (
  SELECT
    t.*,
    coalesce(CASE WHEN t.k > 1 THEN
      greatest(0E0, (b.squares / nullif(t.sigma2, 0) - (t.k - 1)) * t.sigma2 / nullif(t.n - t.squared_n / nullif(t.n, 0), 0)) END, 0E0) AS tau2
  FROM pooled t
  CROSS JOIN apart b
),
weighted AS (
  SELECT
    g.method, g.n, g.mean, g.estimated, g.actual,
    CASE WHEN s.tau2 > 0 THEN 1 / nullif(s.tau2 + s.sigma2 / nullif(g.n, 0), 0) ELSE g.n END AS weight,
    CASE WHEN s.tau2 > 0 THEN s.tau2 / nullif(s.tau2 + s.sigma2 / nullif(g.n, 0), 0) ELSE 0E0 END AS own_weight
  FROM methods g
  CROSS JOIN spread s
),
centre AS (
  SELECT sum(w.weight) AS weights, sum(w.weight * w.mean) AS weighted_sum
  FROM weighted w
),
-- Each ticket taken out of its method's mean and of the mean of all; the variances stay.
left_out AS (
  SELECT
    p.issue_id, p.log_ratio, w.weight, w.mean,
    CASE WHEN w.n > 1 THEN (w.n * w.mean - p.log_ratio) / nullif(greatest(w.n - 1, 1E0), 0) END AS other_mean,
    CASE WHEN s.tau2 > 0 THEN CASE WHEN w.n > 1 THEN 1 / nullif(s.tau2 + s.sigma2 / nullif(greatest(w.n - 1, 1E0), 0), 0) ELSE 0E0 END
      ELSE w.n - 1 END AS other_weight,
    CASE WHEN s.tau2 > 0 AND w.n > 1 THEN s.tau2 / nullif(s.tau2 + s.sigma2 / nullif(greatest(w.n - 1, 1E0), 0), 0) ELSE 0E0 END AS other_own
  FROM pairs p
  JOIN weighted w ON w.method = p.method
  CROSS JOIN spread s
),
predicted AS (
  SELECT
    l.issue_id, l.log_ratio, l.other_own, coalesce(l.other_mean, 0E0) AS other_mean,
    (c.weighted_sum - l.weight * l.mean + l.other_weight * coalesce(l.other_mean, 0E0))
      / nullif(c.weights - l.weight + l.other_weight, 0) AS other_centre
  FROM left_out l
  CROSS JOIN centre c
),
residuals AS (
  SELECT
    e.residual,
    row_number() OVER (ORDER BY e.residual NULLS LAST, e.issue_id NULLS LAST) AS place
  FROM (
    SELECT r.issue_id, r.log_ratio - (r.other_own * r.other_mean + (1 - r.other_own) * r.other_centre) AS residual
    FROM predicted r
  ) e
),
quantile AS (
  SELECT max(r.residual) AS q
  FROM residuals r
  JOIN totals t ON r.place = CAST(floor(((t.n + 1) * 4 + 4) / 5) AS BIGINT)
),
factors AS (
  SELECT w.method, w.n, w.mean, w.own_weight, w.own_weight * w.mean + (1 - w.own_weight) * c.weighted_sum / nullif(c.weights, 0) AS theta,
    w.estimated, w.actual
  FROM weighted w
  CROSS JOIN centre c
  UNION ALL
  SELECT t.method, t.n, t.grand AS mean, 0E0 AS own_weight, c.weighted_sum / nullif(c.weights, 0) AS theta, t.estimated, t.actual
  FROM totals t
  CROSS JOIN centre c
)
SELECT
  f.method,
  CAST(floor(f.n) AS BIGINT) AS tickets,
  f.mean AS mean_log_ratio,
  f.own_weight,
  f.theta AS log_factor,
  CASE WHEN f.n >= s.min_tickets THEN exp(f.theta) END AS p50_factor,
  CASE WHEN f.n >= s.min_tickets THEN exp(f.theta + q.q) END AS p80_factor,
  f.estimated AS average_estimated_tokens,
  f.actual AS average_actual_tokens
FROM factors f
CROSS JOIN conf.tickets s
CROSS JOIN quantile q
