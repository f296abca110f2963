-- What the operator calls each kind of work.
-- Grain: one row per combination of session_type, job_name, method and tag that can occur; '' stands for none.
-- Columns:
--   session_type  session type of the turn or call
--   job_name  cron job name, lower case
--   method  method, lower case
--   tag  category that the client sent along, lower case
--   category  what the work is called: the first rule that matches, else the session type
WITH sent AS (
  SELECT DISTINCT g.session_type, lower(coalesce(g.method, '')) AS method, lower(coalesce(g.category, '')) AS tag
  FROM core.gateway_calls g
  UNION
  SELECT DISTINCT s.session_type, lower(coalesce(s.method, '')) AS method, lower(coalesce(s.category, '')) AS tag
  FROM core.spans s
),
-- What came along with any call: which turn's call it was only the join of both sources could tell.
labels AS (
  SELECT s.method, s.tag FROM sent s
  UNION
  SELECT '' AS method, '' AS tag
),
works AS (
  SELECT DISTINCT t.session_type, lower(coalesce(t.job_name, '')) AS job_name
  FROM core.turns t
  WHERE t.calls > 0
),
combinations AS (
  SELECT w.session_type, w.job_name, l.method, l.tag
  FROM works w
  CROSS JOIN labels l
  UNION
  SELECT s.session_type, '' AS job_name, s.method, s.tag
  FROM sent s
),
matching AS (
  SELECT
    c.session_type, c.job_name, c.method, c.tag, r.category,
    row_number() OVER (
      PARTITION BY c.session_type, c.job_name, c.method, c.tag ORDER BY r.position NULLS LAST
    ) AS n
  FROM combinations c
  LEFT JOIN conf.category_rules r
    ON (r.session_type = '' OR r.session_type = c.session_type)
    AND (r.job_name = '' OR c.job_name LIKE r.job_name ESCAPE '!')
    AND (r.method = '' OR c.method LIKE r.method ESCAPE '!')
    AND (r.tag = '' OR c.tag LIKE r.tag ESCAPE '!')
)
SELECT m.session_type, m.job_name, m.method, m.tag, coalesce(m.category, m.session_type) AS category
FROM matching m
WHERE m.n = 1
