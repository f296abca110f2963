-- OpenClaw transcript lines, each counted once, put into turns.
-- A fork copies its parent's lines, a resumed checkpoint copies a session, and one session can be seen on two hosts:
-- the same line id written at the same moment with the same content is one line. It belongs to the session that is no
-- fork, then to the oldest.
-- Grain: one row per line (agent_id, session_id, line_id).
-- Columns:
--   host  configured name of the machine
--   agent_id  agent
--   session_id  session the line belongs to
--   line_id  id of the line in its session
--   position  byte offset or seq: order within the session
--   kind  user, assistant, compaction or reset
--   turn_id  agent_id/session_id/line_id of the user line that opened the turn; .../start before the first one
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
--   run_id  agent run, when the line carries it
--   mark  user: what the opening of the text says the turn is
--   mark_id  user: cron job id or webhook job id beside the mark
--   mark_name  user: cron job or webhook task name beside the mark
--   provenance_kind  user: who put the line in (2026.9+)
--   provenance_tool  user: tool that put the line in (2026.9+)
--   ticket_keys  user: ticket-shaped keys in the text, space-separated
WITH copies AS (
  SELECT
    l.*,
    row_number() OVER (
      PARTITION BY
        l.agent_id, l.line_id, l.kind, l.written_at, l.started_at, l.response_id, l.model,
        l.input_tokens, l.cache_read_tokens, l.output_tokens, l.reply_chars
      ORDER BY
        CASE WHEN t.parent_session_id IS NULL THEN 0 ELSE 1 END NULLS LAST,
        t.created_at NULLS LAST, l.session_id NULLS LAST, l.host NULLS LAST
    ) AS copy_number
  FROM raw.openclaw_lines l
  LEFT JOIN raw.openclaw_transcripts t
    ON t.host = l.host AND t.agent_id = l.agent_id AND t.session_id = l.session_id
),
ordered AS (
  SELECT
    c.*,
    sum(CASE WHEN c.kind = 'user' THEN 1 ELSE 0 END) OVER (
      PARTITION BY c.agent_id, c.session_id
      ORDER BY c.written_at NULLS FIRST, c.position NULLS FIRST, c.line_id NULLS FIRST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS turn_number
  FROM copies c
  WHERE c.copy_number = 1
)
SELECT
  o.host, o.agent_id, o.session_id, o.line_id, o.position, o.kind,
  o.agent_id || '/' || o.session_id || '/' || coalesce(
    max(CASE WHEN o.kind = 'user' THEN o.line_id END)
      OVER (PARTITION BY o.agent_id, o.session_id, o.turn_number),
    'start'
  ) AS turn_id,
  o.written_at, o.started_at, o.provider, o.model, o.response_id,
  o.input_tokens, o.cache_read_tokens, o.cache_write_tokens, o.output_tokens, o.reasoning_tokens,
  o.estimate_usd, o.stop_reason, o.error_kind, o.tool_calls, o.reply_chars, o.poll_phrase, o.run_id,
  o.mark, o.mark_id, o.mark_name, o.provenance_kind, o.provenance_tool, o.ticket_keys
FROM ordered o
