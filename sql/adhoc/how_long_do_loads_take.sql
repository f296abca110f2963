-- How long did each load take, how much did it read, what was bad, and how old is the newest data? (newest first)
SELECT
  source, scope, status, started_at, round(epoch(finished_at - started_at), 1) AS seconds, rows,
  round(rows / nullif(epoch(finished_at - started_at), 0)) AS rows_per_second,
  round(bytes_read / 1e6, 1) AS megabytes, quarantined, newest_data_at, problem
FROM ops.loads
ORDER BY load_id DESC
