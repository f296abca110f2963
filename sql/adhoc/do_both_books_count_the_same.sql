-- Do OpenClaw and LiteLLM count the same tokens of a call, and is cached input inside or beside the input? (all pairs)
SELECT
  coalesce(g.provider, l.provider) AS provider, g.model, count(*) AS pairs,
  count(*) FILTER (WHERE l.input_tokens = g.input_tokens AND l.cache_read_tokens = g.cache_read_tokens) AS same_split,
  count(*) FILTER (WHERE l.input_tokens = g.prompt_tokens AND g.prompt_tokens > g.input_tokens) AS cache_inside_input,
  sum(g.prompt_tokens) AS litellm_prompt_tokens,
  sum(l.input_tokens + l.cache_read_tokens + l.cache_write_tokens) AS openclaw_prompt_tokens,
  sum(g.output_tokens) - sum(l.output_tokens) AS output_difference,
  round(sum(l.estimate_usd), 4) AS estimate_usd, round(sum(g.spend_usd), 4) AS spend_usd
FROM core.matches m
JOIN core.transcript_lines l USING (session_no, line_no)
JOIN core.gateway_calls g USING (request_id)
WHERE m.match_rule <> 'error_window'
GROUP BY ALL
ORDER BY pairs DESC, provider, g.model
