-- How far estimates are off, by method: factors that an estimate has to be multiplied with. How they are worked out is said in
-- core.method_factors; how well they would have done so far in mart.calibration_backtest.
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
SELECT
  f.method,
  f.tickets,
  f.mean_log_ratio,
  f.own_weight,
  f.log_p50 AS log_factor,
  CASE WHEN f.is_enough THEN exp(f.log_p50) END AS p50_factor,
  CASE WHEN f.is_enough THEN exp(f.log_p80) END AS p80_factor,
  f.estimated_tokens AS average_estimated_tokens,
  f.actual_tokens AS average_actual_tokens
FROM core.method_factors f
JOIN conf.run r ON r.as_of = f.fitted_at
