"""Loads OUT/state of generate_state into a private DuckDB in OUT/home: what openclaw_load measures.

Given nothing, it does nothing: what Python's start and the imports of a load cost.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.openclaw.reader import ReadRules, read_state_dir
from agentops_pipelines.warehouse import Warehouse


def load(work: Path) -> dict[str, Any]:
    """Load into a private DuckDB, as the ingest asset does, and report totals that count every call once."""
    state_dir = StateDir(host="bench", path=work / "state")
    rules = ReadRules(empty_poll_phrases=("No tasks available",))
    observed_at = datetime.now(UTC).replace(tzinfo=None)
    with Warehouse(work / "home").locked("a benchmark") as locked, locked.connect() as writer:
        batches = read_state_dir(state_dir, ledger=writer.ledger("openclaw"), rules=rules, scratch=work / "scratch")
        result = writer.load("openclaw", batches, scope="bench", observed_at=observed_at)
        totals = writer.con.execute(
            "SELECT count(*), sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens), "
            "sum(estimate_usd) FROM (SELECT DISTINCT response_id, input_tokens, cache_read_tokens, "
            "cache_write_tokens, output_tokens, estimate_usd FROM raw.openclaw_lines WHERE kind = 'assistant')"
        ).fetchall()[0]
    return {
        "bytes": result.bytes_read,
        "rows": result.row_count,
        "quarantined": result.quarantined,
        "calls": totals[0],
        "tokens": [int(count) for count in totals[1:5]],
        "cost_usd": float(totals[5]),
    }


if __name__ == "__main__":
    print(json.dumps(load(Path(sys.argv[1])) if len(sys.argv) > 1 else {}))
