"""Fetches every row of LiteLLM_SpendLogs as text and throws it away: the scale of litellm_load."""

import json
import sys
import time

from adbc_driver_postgresql import dbapi

from agentops_pipelines_tests.generate_spend_logs import COLUMNS


def select(url: str) -> dict[str, float]:
    """Rows, bytes and seconds."""
    started = time.monotonic()
    rows = total = 0
    columns = ", ".join(f'"{name}"::text' for name in COLUMNS)
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM "LiteLLM_SpendLogs"')
        for batch in cursor.fetch_record_batch():
            rows += batch.num_rows
            total += batch.nbytes
    return {"loaded": rows, "bytes": total, "seconds": time.monotonic() - started}


if __name__ == "__main__":
    print(json.dumps(select(sys.argv[1])))
