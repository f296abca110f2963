"""The LiteLLM reader against a real PostgreSQL: the rows that HTTP gives, only what is new, every failure explained."""

import json
import socket
import traceback
from datetime import datetime, timedelta

import polars as pl
import pytest

from agentops_pipelines.sources.batches import Ledger, LedgerEntry, SourceError
from agentops_pipelines.sources.litellm.api import read_api
from agentops_pipelines.sources.litellm.daily import TABLE as DAILY_TABLE
from agentops_pipelines.sources.litellm.postgres import READER, _Database, read_postgres
from agentops_pipelines.sources.litellm.rows import UnusableRow, spend_log_frame, spend_log_row
from agentops_pipelines.sources.schemas import LITELLM_DAILY, LITELLM_KEYS, LITELLM_SPEND_LOGS
from agentops_pipelines_tests.litellm_postgres import DAILY, KEYS, PASSWORD, SPEND_LOGS, serve_postgres
from agentops_pipelines_tests.litellm_server import recorded_daily, recorded_keys, recorded_rows, serve_recording
from agentops_pipelines_tests.litellm_store import Store, row

LOGS = "LiteLLM_SpendLogs"
TOKENS = "LiteLLM_VerificationToken"
UNTIL = datetime(2026, 11, 25)
NOON = datetime(2026, 11, 24, 12)


@pytest.fixture(scope="module")
def server():
    with serve_postgres() as running:
        yield running


@pytest.fixture
def database(server):
    """A database with LiteLLM's tables, empty."""
    made = server.new_database()
    made.create(LOGS, SPEND_LOGS)
    made.execute(f'CREATE INDEX ON "{LOGS}" ("startTime")')
    made.create(TOKENS, KEYS)
    return made


def read(database, store=None, *, since=None, until=UNTIL, url=None):
    """Runs the reader to its end into a store, its own ledger included."""
    store = Store() if store is None else store
    ledger = Ledger(source="litellm", entries=dict(store.entries))
    for batch in read_postgres(database_url=url or database.url, ledger=ledger, since=since, until=until):
        store.take(batch)
    return store


def frame_of(store):
    """The spend logs of a store, in the order of their ids."""
    return pl.DataFrame(list(store.logs.values()), schema=LITELLM_SPEND_LOGS.frame_schema).sort("request_id")


def stored(logs, *, created=timedelta(seconds=2)):
    """Rows as the table has them, inserted some seconds after their start."""
    return [
        {"created_at": (datetime.fromisoformat(log["startTime"]) + created).isoformat()} | dict(log) for log in logs
    ]


# --- the same as over HTTP --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("recording", "count"), [("gateway", 417), ("combined", 190)])
def test_http_and_postgresql_give_the_same_rows(database, recording, count):
    database.insert_all(LOGS, recorded_rows(recording))
    database.insert_all(TOKENS, recorded_keys(recording))
    database.create(DAILY_TABLE, DAILY)
    database.insert(DAILY_TABLE, DAILY, recorded_daily(recording))
    since = datetime(2026, 11, 16)
    over_http = Store()
    with serve_recording(recording) as proxy:
        ledger = Ledger(source="litellm")
        for batch in read_api(base_url=proxy.base_url, api_key=proxy.api_key, ledger=ledger, since=since, until=UNTIL):
            over_http.take(batch)
    from_table = read(database, since=since)
    assert len(from_table.logs) == count
    assert frame_of(from_table).drop("created_at").equals(frame_of(over_http).drop("created_at"))
    assert frame_of(from_table)["created_at"].null_count() == 0
    assert from_table.quarantine == []
    assert from_table.tables[LITELLM_KEYS] == over_http.tables[LITELLM_KEYS]
    assert _counters(from_table) == _counters(over_http)


def _counters(store: Store) -> dict[tuple, list[object]]:
    """The daily counters without aliases, which their table does not know."""
    return {
        key: [round(value, 12) for name, value in row.items() if name not in ("usage_date", "key_hash", "key_alias")]
        for key, row in store.tables[LITELLM_DAILY].items()
    }


ODD = {
    "no metadata": {"metadata": None},
    "metadata is an array": {"metadata": [1]},
    "metadata is a text": {"metadata": "text"},
    "nothing inside": {"metadata": {}},
    "objects that are none": {
        "metadata": {"usage_object": 1, "error_information": [], "spend_logs_metadata": "x", "model_map_information": 2}
    },
    "labels that are no text": {"metadata": {"spend_logs_metadata": {"category": 7, "step": ["x"], "task_id": None}}},
    "labels": {
        "metadata": {
            "spend_logs_metadata": {
                "category": " mail to theo@example.org ",
                "ticket": "FAD-12",
                "method": "m" * 500,
                "pipeline": "+49 151 2345 6789",
                "step": "",
                "task_id": "t" * 500,
            }
        }
    },
    "tags": {"request_tags": ["category:a b", "category:second", "ticket:X-1", 7, {"category:no": 1}]},
    "tags that are none": {"request_tags": {"category:no": 1}},
    "tag with quotes": {"request_tags": ['x "category:no"', 'category:"quoted" \\ ü']},
    "counts that are none": {"metadata": {"attempted_fallbacks": "x", "attempted_retries": -1}},
    "prices that are none": {
        "metadata": {
            "model_map_information": {"model_map_value": {"input_cost_per_token": -1, "output_cost_per_token": 1e9}}
        }
    },
    "prices": {"metadata": {"model_map_information": {"model_map_value": {"input_cost_per_token": 2.5e-07}}}},
    "health by team": {"team_id": "litellm-internal-health-check"},
    "health by tag": {"request_tags": ["litellm-internal-health-check"]},
    "cache hit": {"cache_hit": "True"},
    "cache hit by id": {"request_id": "chatcmpl-x_cache_hit17.5"},
    "attempt by id": {"request_id": "0f-attempt-1"},
    "attempt by flag": {"metadata": {"billed_retry_attempt": True}},
    "attempt by a text": {"metadata": {"billed_retry_attempt": "true"}},
    "disconnect": {"metadata": {"error_information": {"error_class": "ClientDisconnected"}}},
    "failure of old": {"status": None, "metadata": {"status": "failure"}},
    "failure without information": {"status": "failure", "metadata": {}},
    "failure with a text for a class": {
        "status": "failure",
        "metadata": {"error_information": {"error_class": "no class", "error_message": "Budget has been exceeded!"}},
    },
    "budget": {
        "status": "failure",
        "metadata": {
            "error_information": {
                "error_class": "BudgetExceededError",
                "error_budget_limit": 0.004,
                "error_budget_spend": 1e12,
            }
        },
    },
    "cached": {
        "prompt_tokens": 100,
        "metadata": {
            "additional_usage_values": {"cache_read_input_tokens": 10, "cache_creation_input_tokens": 30},
            "usage_object": {
                "prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 20}},
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
        },
    },
    "cached by the provider's usage": {
        "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 3, "cache_creation_tokens": 4}}}
    },
    "an end user with a number": {"end_user": "+49 151 2345 6789"},
    "an end user of many words": {"end_user": "word " * 100},
    "a key in clear": {"api_key": "sk-1234"},
    "a session key": {"session_id": "agent:main:whatsapp:direct:+4915123456789"},
    "a trace": {"session_id": "59388a1ee2e104a872284eca9321a1d5"},
    "long names": {"model": "m" * 300, "model_group": "ü" * 300, "user": "u" * 300},
    "no first token": {"completionStartTime": None},
    "first token long ago": {"completionStartTime": "1970-01-01T00:00:00"},
    "empty id": {"request_id": ""},
    "ended long ago": {"endTime": "1970-01-01T00:00:00"},
    "ends never": {"endTime": "infinity"},
    "ends in another century": {"endTime": "2100-01-01T00:00:00"},
    "negative tokens": {"prompt_tokens": -1},
    "negative output": {"completion_tokens": -1},
    "negative spend": {"spend": -0.5},
    "huge spend": {"spend": 1e8},
    "spend is no number": {"spend": "NaN"},
    "spend is endless": {"spend": "Infinity"},
    "cached tokens are a text": {"metadata": {"additional_usage_values": {"cache_read_input_tokens": "many"}}},
    "cached tokens are a fraction": {"metadata": {"additional_usage_values": {"cache_read_input_tokens": 1.5}}},
    "cached tokens are negative": {"metadata": {"additional_usage_values": {"cache_creation_input_tokens": -5}}},
    "cached tokens are huge": {"metadata": {"additional_usage_values": {"cache_read_input_tokens": 10**30}}},
    "reasoning is huge": {
        "metadata": {"usage_object": {"completion_tokens_details": {"reasoning_tokens": 10**400}}},
    },
}
"""Rows that no recording has, each for one way to go apart."""


def test_odd_rows_become_the_same_in_columns_as_one_by_one(database):
    logs = [row(name, NOON + timedelta(seconds=n)) | changes for n, (name, changes) in enumerate(ODD.items())]
    database.insert(LOGS, SPEND_LOGS, stored(logs))
    store = read(database)
    expected, reasons = [], []
    for (text,) in database.execute(f'SELECT to_jsonb(t)::text FROM "{LOGS}" AS t ORDER BY "startTime"'):
        try:
            expected.append(spend_log_row(json.loads(text)))
        except UnusableRow as problem:
            reasons.append(str(problem))
    one_by_one = spend_log_frame(expected).sort("request_id")
    differing = {
        name: [pair for pair in zip(one_by_one[name], frame_of(store)[name], strict=True) if pair[0] != pair[1]]
        for name in one_by_one.columns
        if not one_by_one[name].equals(frame_of(store)[name])
    }
    assert differing == {}
    assert sorted(entry.reason for entry in store.quarantine) == sorted(reasons)
    assert len(reasons) == 15


def test_a_proxy_of_old_lacks_columns(database):
    lacking = ("created_at", "updated_at", "status", "litellm_call_id", "session_id", "request_duration_ms", "agent_id")
    for name in lacking:
        database.execute(f'ALTER TABLE "{LOGS}" DROP COLUMN "{name}"')
    database.execute(f'ALTER TABLE "{TOKENS}" DROP COLUMN last_active')
    log = row("a", NOON, metadata={"litellm_call_id": "from-metadata", "status": "failure"})
    columns = {name: kind for name, kind in SPEND_LOGS.items() if name not in lacking}
    database.insert(LOGS, columns, [log])
    database.insert(TOKENS, KEYS, [{"token": "a" * 64}])
    store = read(database)
    (found,) = store.logs.values()
    assert (found["status"], found["litellm_call_id"], found["trace_id"]) == ("failure", "from-metadata", None)
    assert found["created_at"] is found["attempted_fallbacks"] is found["original_model_group"] is None
    assert len(store.tables[LITELLM_KEYS]) == 1
    assert read(database, store).heights == [1, 1]  # read in full again: nothing says what is new


def test_deleted_keys_are_added_and_keys_in_use_win(database):
    database.create("LiteLLM_DeletedVerificationToken", KEYS)
    database.insert_all(TOKENS, [{"token": "a" * 64, "key_alias": "now", "models": ["x", "y"], "blocked": True}])
    database.insert_all(
        "LiteLLM_DeletedVerificationToken",
        [{"token": "a" * 64, "key_alias": "once"}, {"token": "b" * 64, "key_alias": "gone"}],
    )
    keys = read(database).tables[LITELLM_KEYS]
    assert {key["key_alias"]: (key["models"], key["is_blocked"]) for key in keys.values()} == {
        "now": ("x y", True),
        "gone": ("", False),
    }


# --- incremental ------------------------------------------------------------------------------------------------------


def test_a_second_run_reads_only_rows_created_since(database):
    logs = [row(n, datetime(2026, 11, 20) + timedelta(hours=n)) for n in range(96)]
    database.insert_all(LOGS, [log | {"updated_at": None} for log in stored(logs)])
    store = read(database, until=datetime(2026, 11, 24))
    assert sum(store.heights) == 96
    assert {(entry.host, entry.reader) for entry in store.entries.values()} == {
        (database.url.replace(f"postgres:{PASSWORD}@", ""), READER)
    }
    store.batches.clear()
    read(database, store, until=datetime(2026, 11, 24))
    assert sum(store.heights) == 1  # the one of the last hour
    late = row("late", datetime(2026, 11, 23, 1))
    database.insert(LOGS, SPEND_LOGS, [late | {"created_at": "2026-11-24T03:00:00"}])
    store.batches.clear()
    read(database, store, until=datetime(2026, 11, 24, 12))
    assert "chatcmpl-late" in store.logs
    assert sum(store.heights) == 2


def test_without_a_first_day_everything_is_read_from_the_first_row_on(database):
    database.insert(LOGS, SPEND_LOGS, stored([row("old", datetime(2026, 8, 1, 5)), row("new", NOON)]))
    store = read(database)
    assert len(store.logs) == 2
    assert min(item for _, item in store.entries) == "spend_logs/2026-08-01"
    assert len(read(database, since=datetime(2026, 11, 1)).logs) == 1


def test_an_empty_table_is_no_failure(database):
    store = read(database)
    assert store.logs == {}
    assert store.entries == {}


def test_what_the_table_deleted_stays(database):
    database.insert(LOGS, SPEND_LOGS, stored([row("a", NOON), row("b", NOON)]))
    store = read(database)
    database.execute(f'DELETE FROM "{LOGS}"')
    read(database, store)
    assert len(store.logs) == 2


def test_a_first_load_that_broke_resumes_where_it_stopped(database):
    days = [datetime(2026, 11, day, 12) for day in range(1, 21)]
    database.insert_all(
        LOGS, [log | {"updated_at": None} for log in stored([row(n, day) for n, day in enumerate(days)])]
    )
    store = Store()
    ledger = Ledger(source="litellm")
    for batch in read_postgres(database_url=database.url, ledger=ledger, since=None, until=UNTIL):
        store.take(batch)
        if batch.ledger and batch.ledger[0].item == "spend_logs/2026-11-10":
            break
    assert len(store.logs) == 10
    store.batches.clear()
    read(database, store)
    assert sum(store.heights) == 10
    assert len(store.logs) == 20


def test_a_new_reader_version_reads_again(database):
    database.insert(LOGS, SPEND_LOGS, stored([row("a", NOON)]))
    store = read(database, until=datetime(2026, 12, 24))
    entries = {
        key: LedgerEntry(**{**vars(entry), "reader": "litellm-postgres-0"}) for key, entry in store.entries.items()
    }
    assert len(read(database, Store(entries=entries), until=datetime(2026, 12, 24)).logs) == 1


def test_many_rows_come_as_a_stream_with_the_ledger_at_its_end(database):
    database.execute(
        f'INSERT INTO "{LOGS}" (request_id, call_type, "startTime", "endTime", model, spend)'
        " SELECT 'chatcmpl-' || n, 'acompletion', timestamp '2026-11-24' + n * interval '1 ms',"
        " timestamp '2026-11-24 12:00', 'azure/gpt-5.4', 0.25 FROM generate_series(1, 80000) AS n"
    )
    store = read(database, since=datetime(2026, 11, 24))
    assert sum(store.heights) == 80_000
    assert len(store.heights) > 1
    logs = [batch for batch in store.batches if LITELLM_SPEND_LOGS in batch.tables]
    assert [bool(batch.ledger) for batch in logs] == [False] * (len(logs) - 1) + [True]
    assert store.entries[(logs[-1].ledger[0].host, "spend_logs/2026-11-24")].position == 80_000


def test_a_quarantined_row_keeps_its_position_whatever_else_is_read(database):
    broken = row("broken", NOON + timedelta(milliseconds=7), spend=-1)
    database.insert(LOGS, SPEND_LOGS, stored([broken], created=timedelta(hours=11)))
    store = read(database)
    read(database, store)
    assert {(entry.item, entry.position, entry.reason) for entry in store.quarantine} == {
        ("spend_logs/2026-11-24", 43_200_007, "spend is out of range")
    }


# --- connection and failures ------------------------------------------------------------------------------------------


def test_a_database_url_of_litellm_with_options_for_prisma_works(server):
    database = server.new_database()
    database.execute("CREATE SCHEMA llm")
    database.execute(f"ALTER ROLE postgres IN DATABASE {database.url.rpartition('/')[2]} SET search_path = llm")
    database.create(LOGS, SPEND_LOGS)
    database.insert(LOGS, SPEND_LOGS, stored([row("a", NOON)]))
    database.execute(f"ALTER ROLE postgres IN DATABASE {database.url.rpartition('/')[2]} RESET search_path")
    url = f"{database.url}?schema=llm&connection_limit=10&pool_timeout=60&sslmode=disable"
    assert len(read(database, url=url).logs) == 1
    assert "schema" in _failure(database.url).remedy


def test_queries_cannot_write(database):
    reader = _Database(database.url)
    with reader.connected(), pytest.raises(SourceError, match="SQLSTATE 25006"):
        list(reader.query(f'DELETE FROM "{LOGS}" RETURNING request_id'))


def test_a_user_with_select_on_the_tables_is_enough(server, database):
    database.insert(LOGS, SPEND_LOGS, stored([row("a", NOON)]))
    database.execute("CREATE ROLE reader LOGIN PASSWORD 'hush-hush'")
    url = f"postgresql://reader:{PASSWORD}@" + database.url.rpartition("@")[2]
    assert "may not read" in _failure(url).problem
    database.execute(f'GRANT SELECT ON "{LOGS}", "{TOKENS}" TO reader')
    assert len(read(database, url=url).logs) == 1


def _failure(url: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        list(
            read_postgres(database_url=url, ledger=Ledger(source="litellm"), since=datetime(2026, 11, 24), until=UNTIL)
        )
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert "hush" not in shown
    assert error.setting == "AGENTOPS_LITELLM_DATABASE_URL"
    assert error.remedy
    return error


def test_connection_failures_are_explained_without_the_password(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = f"127.0.0.1:{server.port}"
    for url, said in {
        f"postgresql://postgres:hush-wrong@{here}/postgres": "refuses this user or password",
        f"postgresql://nobody-here:hush-hush@{here}/postgres": "refuses this user or password",
        f"postgresql://postgres@{here}/postgres": "asks for a password",
        f"postgresql://postgres:hush-hush@{here}/nothing-here": "no such database",
        f"postgresql://postgres:hush-hush@127.0.0.1:{port}/postgres": "connection refused",
        f"postgresql://postgres:hush-hush@{here}/postgres?sslmode=require": "TLS",
        f"postgresql://postgres:hush hush@{here}/postgres": "no connection",
        f"postgresql://postgres:hush-hush@{here}/postgres": "no table of LiteLLM's spend logs",
        f"mysql://postgres:hush-hush@{here}/postgres": "not the URL",
        "host=127.0.0.1 password=hush-hush": "not the URL",
        "postgresql://[hush-hush": "not the URL",
        "": "not the URL",
    }.items():
        error = _failure(url)
        assert said in error.problem, url
        if said != "not the URL":
            assert error.value.startswith("postgresql://127.0.0.1:")


def test_a_connection_that_breaks_is_explained_and_what_came_is_kept(database):
    database.insert(LOGS, SPEND_LOGS, stored([row("a", NOON), row("b", NOON + timedelta(days=1))]))
    store = Store()
    batches = read_postgres(
        database_url=database.url,
        ledger=Ledger(source="litellm"),
        since=datetime(2026, 11, 24),
        until=datetime(2026, 11, 27),
    )
    store.take(next(batches))
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentops'"
        " AND datname = current_database()"
    )
    with pytest.raises(SourceError, match="closed the connection"):
        store.take(next(batches))
    assert list(store.logs) == ["chatcmpl-a"]
    assert [item for _, item in store.entries] == ["spend_logs/2026-11-24"]
    assert len(read(database, store, until=datetime(2026, 11, 27)).logs) == 2


def test_texts_and_secrets_appear_in_no_row(database):
    secret = "the-secret-words-of-a-person"
    information = {"error_class": "Exception", "error_message": secret, "traceback": secret, "normalized_error": secret}
    log = row(
        "failed",
        NOON,
        status="failure",
        metadata={"error_information": information, "proxy_server_request": {"body": secret}},
        messages=[{"content": secret}],
        response={"content": secret},
        proxy_server_request={"headers": secret},
        api_base=secret,
        request_tags=[secret],
    )
    database.insert(LOGS, SPEND_LOGS, stored([log, row("broken", NOON, spend=-1, metadata={"x": secret})]))
    database.insert(TOKENS, KEYS, [{"token": "a" * 64, "key_name": secret, "metadata": {"note": secret}}])
    store = read(database)
    assert len(store.logs) == 1
    assert len(store.quarantine) == 1
    assert secret not in repr(store.tables)
    assert secret not in repr(store.quarantine)
