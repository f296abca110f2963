-- Tickets of Jira with what their history says: when work on them began, what they were estimated at then, when they were done.
-- A ticket is in progress in any status of the category indeterminate; In Review and Blocked are told apart by the configured
-- names. Of the two story-point fields, that of the project's style counts first.
-- Grain: one row per issue_id.
-- Columns:
--   issue_id  Jira's id of the ticket
--   ticket_key  its present key
--   project_key  project
--   issue_number  number in the key
--   issue_type  Task, Bug, Story ...
--   status  status
--   status_kind  to do, in progress, in review, blocked, done, or unknown when the status has no category
--   priority  priority
--   priority_rank  place of the priority in Jira's list, 1 is the highest; NULL unknown
--   method  method; NULL when the ticket names none
--   agent_id  agent that the ticket is assigned to, by the settings; NULL for anybody else
--   open_blockers  tickets that block this one and were not done when it was read
--   points  present estimate
--   points_at_start  estimate when work on it began, else the present one; NULL when there was none
--   has_two_estimates  both story-point fields are filled and differ
--   created_at  created (UTC)
--   started_at  first in progress (UTC); NULL when it never was
--   done_at  done for the last time (UTC); NULL when it is not done
--   updated_at  last change (UTC)
--   status_since  when it came into its present status (UTC)
--   starts  times that work on it began, or began again
--   is_gone  deleted, moved to a project that is not read, or hidden: not in the newest list of all tickets
WITH last_list AS (
  SELECT max(l.listed_at) AS listed_at
  FROM raw.jira_listed l
),
moves AS (
  SELECT
    c.issue_id, c.changed_at, c.to_status_id,
    coalesce(a.category, '') AS from_category,
    coalesce(b.category, '') AS to_category,
    row_number() OVER (
      PARTITION BY c.issue_id
      ORDER BY c.changed_at NULLS LAST, TRY_CAST(c.change_id AS BIGINT) NULLS LAST, c.change_id NULLS LAST
    ) AS n
  FROM raw.jira_changes c
  LEFT JOIN raw.jira_statuses a ON a.status_id = c.from_status_id
  LEFT JOIN raw.jira_statuses b ON b.status_id = c.to_status_id
  WHERE c.field = 'status'
),
paths AS (
  SELECT
    m.issue_id,
    min(CASE WHEN m.n = 1 THEN m.from_category END) AS first_category,
    min(CASE WHEN m.to_category = 'indeterminate' THEN m.changed_at END) AS started_at,
    max(CASE WHEN m.to_category = 'done' AND m.from_category <> 'done' THEN m.changed_at END) AS done_at,
    max(m.changed_at) AS status_since,
    count(*) FILTER (WHERE m.to_category = 'indeterminate' AND m.from_category <> 'indeterminate') AS starts
  FROM moves m
  GROUP BY m.issue_id
),
begun AS (
  SELECT
    i.*,
    s.name AS status,
    coalesce(s.category, '') AS category,
    k.kind,
    CASE WHEN coalesce(p.first_category, s.category) = 'indeterminate' THEN i.created_at ELSE p.started_at END AS started_at,
    CASE WHEN s.category = 'done' THEN coalesce(p.done_at, i.resolved_at, i.updated_at, i.read_at) END AS done_at,
    coalesce(p.status_since, i.created_at) AS status_since,
    coalesce(p.starts, CAST(0 AS BIGINT))
      + CASE WHEN coalesce(p.first_category, s.category) = 'indeterminate' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS starts
  FROM raw.jira_issues i
  LEFT JOIN raw.jira_statuses s ON s.status_id = i.status_id
  LEFT JOIN conf.ticket_statuses k ON k.status = lower(s.name)
  LEFT JOIN paths p ON p.issue_id = i.issue_id
),
estimates AS (
  SELECT
    c.issue_id, c.field, c.from_points, c.to_points,
    c.changed_at <= b.started_at AS is_before,
    row_number() OVER (
      PARTITION BY c.issue_id, c.field, c.changed_at <= b.started_at
      ORDER BY c.changed_at DESC NULLS LAST, TRY_CAST(c.change_id AS BIGINT) DESC NULLS LAST, c.change_id DESC NULLS LAST
    ) AS from_last,
    row_number() OVER (
      PARTITION BY c.issue_id, c.field, c.changed_at <= b.started_at
      ORDER BY c.changed_at NULLS LAST, TRY_CAST(c.change_id AS BIGINT) NULLS LAST, c.change_id NULLS LAST
    ) AS from_first
  FROM raw.jira_changes c
  JOIN begun b ON b.issue_id = c.issue_id AND b.started_at IS NOT NULL
),
-- The last change before work began tells; without one the first change after it tells what stood there.
starting AS (
  SELECT
    e.issue_id, e.field,
    count(*) FILTER (WHERE e.is_before) AS before,
    min(CASE WHEN e.is_before AND e.from_last = 1 THEN e.to_points END) AS last_before,
    min(CASE WHEN NOT e.is_before AND e.from_first = 1 THEN e.from_points END) AS first_after
  FROM estimates e
  GROUP BY e.issue_id, e.field
),
estimated AS (
  SELECT
    b.*,
    CASE WHEN x.issue_id IS NULL THEN b.story_points WHEN x.before > 0 THEN x.last_before ELSE x.first_after END AS company_points,
    CASE WHEN y.issue_id IS NULL THEN b.story_point_estimate WHEN y.before > 0 THEN y.last_before ELSE y.first_after END
      AS team_points
  FROM begun b
  LEFT JOIN starting x ON x.issue_id = b.issue_id AND x.field = 'story_points'
  LEFT JOIN starting y ON y.issue_id = b.issue_id AND y.field = 'story_point_estimate'
)
SELECT
  e.issue_id,
  e.issue_key AS ticket_key,
  e.project_key, e.issue_number, e.issue_type, e.status,
  CASE
    WHEN e.category = 'done' THEN 'done'
    WHEN e.category = 'new' THEN 'to do'
    WHEN e.category = 'indeterminate' THEN coalesce(e.kind, 'in progress')
    ELSE 'unknown'
  END AS status_kind,
  e.priority, e.priority_rank, e.method, e.agent_id,
  coalesce(e.open_blockers, CAST(0 AS BIGINT)) AS open_blockers,
  CASE WHEN e.is_team_managed THEN coalesce(e.story_point_estimate, e.story_points)
    ELSE coalesce(e.story_points, e.story_point_estimate) END AS points,
  CASE WHEN e.is_team_managed THEN coalesce(e.team_points, e.company_points)
    ELSE coalesce(e.company_points, e.team_points) END AS points_at_start,
  coalesce(e.story_points <> e.story_point_estimate, false) AS has_two_estimates,
  e.created_at, e.started_at, e.done_at, e.updated_at, e.status_since, e.starts,
  coalesce(greatest(e.read_at, l.listed_at) < z.listed_at, false) AS is_gone
FROM estimated e
LEFT JOIN raw.jira_listed l ON l.issue_id = e.issue_id
CROSS JOIN last_list z
