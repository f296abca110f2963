"""Loads a LiteLLM database into a private DuckDB in HOME: what litellm_load measures. Given nothing, only imports."""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from agentops_pipelines.sources.litellm.postgres import read_postgres
from agentops_pipelines.warehouse import Warehouse
from agentops_pipelines_tests.generate_spend_logs import DAYS, START


def load(url: str, home: Path) -> dict[str, Any]:
    """Load as the ingest asset does, and report what is in the table."""
    started = time.monotonic()
    until = START + timedelta(days=DAYS + 1)
    with Warehouse(home).locked("a benchmark") as locked, locked.connect() as writer:
        batches = read_postgres(database_url=url, ledger=writer.ledger("litellm"), since=None, until=until)
        result = writer.load("litellm", batches, scope="bench", observed_at=until)
        ((rows,),) = writer.con.execute("SELECT count(*) FROM raw.litellm_spend_logs").fetchall()
    return {
        "bytes": result.bytes_read,
        "loaded": result.row_count,
        "quarantined": result.quarantined,
        "rows": rows,
        "seconds": time.monotonic() - started,
    }


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1], Path(sys.argv[2])) if len(sys.argv) > 1 else {}))
