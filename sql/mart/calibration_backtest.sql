-- How well estimates would have been corrected so far: every finished ticket that could be predicted, predicted only from what was
-- done before work on it began (core.calibration_trials). The factors by method stand beside one factor for all tickets and beside
-- the estimate as it was. Errors are differences of logarithms: 0.7 is a factor of 2, up or down. The pinball loss is the mean
-- error of a quantile: an actual above P80 counts four times as much as one as far below; the smaller, the better.
-- Grain: one row per window and predictor, of all tickets done before the window ended (window_id, predictor).
-- Columns:
--   window_id  window
--   predictor  method factors, one factor, or raw estimate
--   tickets  tickets predicted and done by then
--   under_p80  tickets that stayed under the predicted P80 (for the raw estimate: under the estimate)
--   coverage80  their share; 0.8 is what P80 promises
--   coverage80_low  lower end of its 95 % interval (Wilson)
--   coverage80_high  upper end
--   pinball50  pinball loss of P50: half of mae_log
--   pinball80  pinball loss of P80
--   mae_log  mean absolute error of P50 in logarithms
--   verdict  too few tickets (under 10), too low or too high (0.8 is outside the interval), no better (method factors only: one of
--         the others has a smaller pinball80), or holds
--   previous_tickets  tickets at the end of the window before; 0 for none
--   previous_verdict  verdict then; none without tickets
WITH misses AS (
  SELECT t.issue_id, t.done_at, 'method factors' AS predictor, t.log_ratio - t.log_p50 AS miss50, t.log_ratio - t.log_p80 AS miss80
  FROM core.calibration_trials t
  UNION ALL
  SELECT t.issue_id, t.done_at, 'one factor' AS predictor, t.log_ratio - t.one_log_p50 AS miss50, t.log_ratio - t.one_log_p80 AS miss80
  FROM core.calibration_trials t
  UNION ALL
  SELECT t.issue_id, t.done_at, 'raw estimate' AS predictor, t.log_ratio AS miss50, t.log_ratio AS miss80
  FROM core.calibration_trials t
),
sums AS (
  SELECT
    w.window_id, w.previous_window_id, m.predictor,
    count(*) AS tickets,
    count(*) FILTER (WHERE m.miss80 <= 0) AS under_p80,
    CAST(count(*) AS DOUBLE) AS n,
    avg(CASE WHEN m.miss80 <= 0 THEN 1E0 ELSE 0E0 END) AS p,
    avg(abs(m.miss50)) AS mae_log,
    avg(greatest(0.8E0 * m.miss80, -0.2E0 * m.miss80)) AS pinball80
  FROM conf.windows w
  JOIN misses m ON m.done_at < w.ends_at
  GROUP BY w.window_id, w.previous_window_id, m.predictor
),
-- 1.96 standard deviations are 95 %: 3.8416 is their square.
intervals AS (
  SELECT
    s.*,
    (s.p + 1.9208E0 / nullif(s.n, 0)) / nullif(1 + 3.8416E0 / nullif(s.n, 0), 0) AS middle,
    1.96E0 * sqrt(s.p * (1 - s.p) / nullif(s.n, 0) + 0.9604E0 / nullif(s.n * s.n, 0)) / nullif(1 + 3.8416E0 / nullif(s.n, 0), 0) AS half,
    min(CASE WHEN s.predictor = 'method factors' THEN CAST(NULL AS DOUBLE) ELSE s.pinball80 END) OVER (PARTITION BY s.window_id)
      AS best_other
  FROM sums s
),
judged AS (
  SELECT
    i.*,
    CASE
      WHEN i.tickets < 10 THEN 'too few tickets'
      WHEN i.middle + i.half < 0.8E0 THEN 'too low'
      WHEN i.middle - i.half > 0.8E0 THEN 'too high'
      WHEN i.predictor = 'method factors' AND i.pinball80 > i.best_other THEN 'no better'
      ELSE 'holds'
    END AS verdict
  FROM intervals i
)
SELECT
  j.window_id, j.predictor, j.tickets, j.under_p80,
  j.p AS coverage80,
  j.middle - j.half AS coverage80_low,
  j.middle + j.half AS coverage80_high,
  0.5E0 * j.mae_log AS pinball50,
  j.pinball80, j.mae_log, j.verdict,
  coalesce(b.tickets, CAST(0 AS BIGINT)) AS previous_tickets,
  coalesce(b.verdict, 'none') AS previous_verdict
FROM judged j
LEFT JOIN judged b ON b.window_id = j.previous_window_id AND b.predictor = j.predictor
