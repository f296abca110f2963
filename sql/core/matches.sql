-- Pairs of an OpenClaw line and the LiteLLM row of the same call.
-- response_id: id and tokens are equal. Ids are used again by restarted servers and clocks step, so time only chooses among
-- equals; a line and a request are in one such pair at most.
-- tokens_time: a call whose id the gateway logs otherwise or OpenClaw does not keep: model group, all token counts and the end
-- of the call agree (to 5 seconds, clocks corrected), the key is not another agent's, and neither side has a second
-- candidate. Nothing is guessed.
-- error_window: a failed request that began while exactly one failing OpenClaw call of the same model group was under way, by
-- a key that is not another agent's. Retries of one call share its one error line: many requests to one line.
-- Kept as a view: nearly all pairs are those of core.id_pairs, the others are made in core.close_matches.
-- Grain: one row per LiteLLM request_id that has a line.
-- Columns:
--   session_no  session of the line, as in core.transcript_lines
--   line_no  line
--   request_id  LiteLLM row
--   match_rule  response_id, tokens_time or error_window
SELECT p.session_no, p.line_no, p.request_id, 'response_id' AS match_rule
FROM core.id_pairs p
WHERE p.lines = 1
UNION ALL
SELECT c.session_no, c.line_no, c.request_id, c.match_rule
FROM core.close_matches c
