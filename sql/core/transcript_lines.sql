-- OpenClaw transcript lines, each counted once, put into turns.
-- A fork copies its parent's lines, a resumed checkpoint copies a session, and one session can be seen on two hosts:
-- the same line id written at the same moment with the same content is one line. It belongs to the session that is no
-- fork, then to the oldest. A call that was recovered from a trajectory counts only while no transcript holds it. A turn
-- begins with a user line, or where a run answers that no user line opened (the announce
-- of a sub-agent). The run of a line is the one it names, else the last one that its session's trajectory started before it.
-- Grain: one row per line (agent_id, session_id, line_id).
-- Columns:
--   session_no  number of the session, by agent and id: joins on numbers cost a third of joins on three ids
--   line_no  place of the line in its session by time, from 1
--   host  configured name of the machine
--   agent_id  agent
--   session_id  session the line belongs to
--   line_id  id of the line in its session
--   position  index of the line in its transcript: order within the session
--   kind  user, assistant, compaction or reset
--   turn_no  line_no of the line that opened the turn
--   written_at  when OpenClaw wrote the line (UTC)
--   started_at  when the message began; for an assistant line the start of the model call (UTC)
--   provider  assistant: provider configured in OpenClaw
--   model  assistant: model id asked for
--   response_id  assistant: the upstream's response id
--   input_tokens  assistant: input tokens, cached ones excluded
--   cache_read_tokens  assistant: tokens read from the prompt cache
--   cache_write_tokens  assistant: tokens written to the prompt cache
--   output_tokens  assistant: output tokens, reasoning included
--   reasoning_tokens  assistant: reasoning tokens
--   estimate_usd  assistant: OpenClaw's own cost (USD)
--   stop_reason  assistant: stop, length, toolUse, error or aborted
--   error_kind  assistant: what went wrong
--   tool_calls  assistant: tool calls in the message
--   reply_chars  length of the visible text
--   poll_phrase  assistant: id of the empty-poll phrase the answer amounts to
--   run_id  agent run; NULL when neither the line nor a trajectory tells
--   run_trigger  what the trajectory says has started the run
--   run_message_provider  where the trajectory says the run's message came from
--   mark  user: what the opening of the text says the turn is
--   mark_id  user: cron job id or webhook job id beside the mark
--   mark_name  user: cron job or webhook task name beside the mark
--   provenance_kind  user: who put the line in (2026.9+)
--   provenance_tool  user: tool that put the line in (2026.9+)
--   ticket_keys  user: ticket-shaped keys in the text, space-separated
WITH doubled AS (
  SELECT l.agent_id, l.line_id, l.written_at
  FROM raw.openclaw_lines l
  GROUP BY l.agent_id, l.line_id, l.written_at
  HAVING count(*) > 1
),
copies AS (
  SELECT
    l.host, l.agent_id, l.session_id, l.line_id,
    row_number() OVER (
      PARTITION BY
        l.agent_id, l.line_id, l.kind, l.written_at, l.started_at, l.response_id, l.model,
        l.input_tokens, l.cache_read_tokens, l.output_tokens, l.reply_chars
      ORDER BY
        CASE WHEN t.parent_session_id IS NULL THEN 0 ELSE 1 END NULLS LAST,
        t.created_at NULLS LAST, l.session_id NULLS LAST, l.host NULLS LAST
    ) AS copy_number
  FROM raw.openclaw_lines l
  JOIN doubled d
    ON d.agent_id = l.agent_id AND d.line_id = l.line_id AND d.written_at IS NOT DISTINCT FROM l.written_at
  LEFT JOIN raw.openclaw_transcripts t
    ON t.host = l.host AND t.agent_id = l.agent_id AND t.session_id = l.session_id
),
told_twice AS (
  SELECT DISTINCT r.host, r.agent_id, r.session_id, r.line_id
  FROM raw.openclaw_lines r
  JOIN raw.openclaw_lines l
    ON l.agent_id = r.agent_id AND l.response_id = r.response_id AND l.started_at = r.started_at
  WHERE r.origin = 'trajectory' AND l.origin <> 'trajectory'
),
left_out AS (
  SELECT c.host, c.agent_id, c.session_id, c.line_id
  FROM copies c
  WHERE c.copy_number > 1
  UNION ALL
  SELECT w.host, w.agent_id, w.session_id, w.line_id
  FROM told_twice w
),
sessions AS (
  SELECT
    s.agent_id, s.session_id,
    row_number() OVER (ORDER BY s.agent_id NULLS LAST, s.session_id NULLS LAST) AS session_no
  FROM (SELECT DISTINCT l.agent_id, l.session_id FROM raw.openclaw_lines l) s
),
-- Only what turns are told from: with all columns in it, each step below would copy every line.
lines AS (
  SELECT s.session_no, l.host, l.line_id, l.kind, l.written_at, l.position, l.run_id
  FROM raw.openclaw_lines l
  JOIN sessions s ON s.agent_id = l.agent_id AND s.session_id = l.session_id
  WHERE NOT EXISTS (
    SELECT 1 FROM left_out x
    WHERE x.host = l.host AND x.agent_id = l.agent_id AND x.session_id = l.session_id AND x.line_id = l.line_id
  )
),
runs AS (
  SELECT
    r.session_no, r.run_id, r.started_at, r.ended_at, r.trigger, r.message_provider,
    row_number() OVER (PARTITION BY r.session_no ORDER BY r.started_at NULLS LAST, r.run_id NULLS LAST) AS run_number
  FROM (
    SELECT
      s.session_no, x.run_id, x.started_at, max(x.ended_at) AS ended_at, min(x.trigger) AS trigger,
      min(x.message_provider) AS message_provider
    FROM raw.openclaw_runs x
    JOIN sessions s ON s.agent_id = x.agent_id AND s.session_id = x.session_id
    WHERE x.started_at IS NOT NULL
    GROUP BY s.session_no, x.run_id, x.started_at
  ) r
),
-- Starts of runs and lines in one sequence: the number of starts so far is the run a line belongs to.
moments AS (
  SELECT l.session_no, l.line_id, l.written_at AS moment, CAST(0 AS BIGINT) AS is_start
  FROM lines l
  WHERE EXISTS (SELECT 1 FROM runs r WHERE r.session_no = l.session_no)
  UNION ALL
  SELECT r.session_no, r.run_id AS line_id, r.started_at AS moment, CAST(1 AS BIGINT) AS is_start
  FROM runs r
),
counted AS (
  SELECT
    m.session_no, m.line_id, m.moment, m.is_start,
    sum(m.is_start) OVER (
      PARTITION BY m.session_no
      ORDER BY m.moment NULLS FIRST, m.is_start DESC NULLS LAST, m.line_id NULLS FIRST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS run_number
  FROM moments m
),
told AS (
  SELECT c.session_no, c.line_id, r.run_id, r.trigger, r.message_provider
  FROM counted c
  JOIN runs r ON r.session_no = c.session_no AND r.run_number = c.run_number
  WHERE c.is_start = 0 AND (r.ended_at IS NULL OR c.moment <= r.ended_at + INTERVAL '5' SECOND)
),
named AS (
  SELECT r.session_no, r.run_id, min(r.trigger) AS trigger, min(r.message_provider) AS message_provider
  FROM runs r
  GROUP BY r.session_no, r.run_id
),
placed AS (
  SELECT
    l.session_no, l.host, l.line_id, l.kind, l.written_at, l.position,
    coalesce(l.run_id, t.run_id) AS run_id,
    coalesce(n.trigger, t.trigger) AS run_trigger,
    coalesce(n.message_provider, t.message_provider) AS run_message_provider
  FROM lines l
  LEFT JOIN told t ON t.session_no = l.session_no AND t.line_id = l.line_id
  LEFT JOIN named n ON n.session_no = l.session_no AND n.run_id = l.run_id
),
followed AS (
  SELECT
    p.*,
    row_number() OVER session_order AS line_no,
    sum(CASE WHEN p.kind = 'user' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END) OVER session_so_far AS user_lines
  FROM placed p
  WINDOW
    session_order AS (
      PARTITION BY p.session_no ORDER BY p.written_at NULLS FIRST, p.position NULLS FIRST, p.line_id NULLS FIRST
    ),
    session_so_far AS (
      PARTITION BY p.session_no ORDER BY p.written_at NULLS FIRST, p.position NULLS FIRST, p.line_id NULLS FIRST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
),
-- Where a run answers that no user line opened, the lines after a user line are several turns. Few are.
several AS (
  SELECT f.session_no, f.user_lines
  FROM followed f
  WHERE f.kind = 'assistant' AND f.run_id IS NOT NULL
  GROUP BY f.session_no, f.user_lines
  HAVING min(f.run_id) <> max(f.run_id)
),
neighbours AS (
  SELECT
    f.session_no, f.user_lines, f.line_no, f.kind, f.run_id,
    lag(f.kind) OVER line_order AS kind_before,
    lag(f.run_id) OVER line_order AS run_before
  FROM followed f
  JOIN several s ON s.session_no = f.session_no AND s.user_lines = f.user_lines
  WINDOW line_order AS (PARTITION BY f.session_no, f.user_lines ORDER BY f.line_no NULLS FIRST)
),
parts AS (
  SELECT
    n.session_no, n.line_no,
    n.kind = 'assistant' AND n.kind_before = 'assistant' AND n.run_id <> n.run_before AS is_break,
    sum(CASE
      WHEN n.kind = 'assistant' AND n.kind_before = 'assistant' AND n.run_id <> n.run_before THEN CAST(1 AS BIGINT)
      ELSE CAST(0 AS BIGINT)
    END) OVER (
      PARTITION BY n.session_no, n.user_lines ORDER BY n.line_no NULLS FIRST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS part
  FROM neighbours n
),
parted AS (
  SELECT f.*, coalesce(p.part, 0) AS part, coalesce(p.is_break, false) AS is_break
  FROM followed f
  LEFT JOIN parts p ON p.session_no = f.session_no AND p.line_no = f.line_no
),
openers AS (
  SELECT o.session_no, o.user_lines, o.part, o.line_no
  FROM parted o
  WHERE o.kind = 'user' OR o.line_no = 1 OR o.is_break
),
turns AS (
  SELECT
    p.session_no, p.line_no, p.host, p.line_id, p.run_id, p.run_trigger, p.run_message_provider,
    o.line_no AS turn_no
  FROM parted p
  JOIN openers o ON o.session_no = p.session_no AND o.user_lines = p.user_lines AND o.part = p.part
)
SELECT
  t.session_no, t.line_no, l.host, l.agent_id, l.session_id, l.line_id, l.position, l.kind, t.turn_no,
  l.written_at, l.started_at, l.provider, l.model, l.response_id,
  l.input_tokens, l.cache_read_tokens, l.cache_write_tokens, l.output_tokens, l.reasoning_tokens,
  l.estimate_usd, l.stop_reason, l.error_kind, l.tool_calls, l.reply_chars, l.poll_phrase,
  t.run_id, t.run_trigger, t.run_message_provider,
  l.mark, l.mark_id, l.mark_name, l.provenance_kind, l.provenance_tool, l.ticket_keys
FROM raw.openclaw_lines l
JOIN sessions s ON s.agent_id = l.agent_id AND s.session_id = l.session_id
JOIN turns t ON t.session_no = s.session_no AND t.host = l.host AND t.line_id = l.line_id
