"""The SQL step: one subsettable multi-asset made from the files under sql/.

Belongs here: assets out of SQL files, and the order of its acts: conf tables, the selected tables, the checks, and
last of all the publishing, also for a subset that was launched from the UI. Does not belong here: what the tables say.
"""

import hashlib
import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from agentops_pipelines.conf import write_conf_tables
from agentops_pipelines.defs.checks import check_specs, run_checks
from agentops_pipelines.defs.ingest import OWNERS, source_tag, utc_now, warehouse_of
from agentops_pipelines.settings import Settings, load_settings
from agentops_pipelines.sources.schemas import RAW_TABLES
from agentops_pipelines.sqltables import SqlTable
from agentops_pipelines.warehouse import LockedWarehouse, Writer

logger = logging.getLogger(__name__)

OP = "tables"
_ASSET_SCHEMAS = ("raw", "core", "mart")
"""What the graph shows. conf is written by this very step, ops by the warehouse."""


class TablesConfig(dg.Config):
    """Launch options of the SQL step."""

    as_of: str = ""
    """The time that counts as now, ISO 8601 in UTC; empty means the clock's."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One table that was rebuilt."""

    table: SqlTable
    rows: int
    types: Mapping[str, str]


def table_key(name: str) -> dg.AssetKey:
    """The asset key of a table name: core.calls -> [core, calls]."""
    return dg.AssetKey(name.split("."))


def tables_asset(tables: Mapping[str, SqlTable], *, freshness: dg.FreshnessPolicy) -> dg.AssetsDefinition:
    """The multi-asset of all SQL tables; `freshness` is that of the marts, which people look at."""
    sources = _sources(tables)

    @dg.multi_asset(
        name=OP,
        specs=[
            _spec(table, sources=sources[table.name], freshness=freshness if table.schema == "mart" else None)
            for table in tables.values()
        ],
        check_specs=check_specs(),
        can_subset=True,
        description="Rebuilds the selected core and mart tables, checks them and publishes the DuckDB file.",
    )
    def make_tables(
        context: dg.AssetExecutionContext, config: TablesConfig
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        settings = load_settings()
        as_of = _parse_as_of(config.as_of) or utc_now(settings)
        keys = context.selected_asset_keys
        wanted = [table for table in tables.values() if table_key(table.name) in keys]
        # A check may be launched alone, of a table that stays as it is.
        checked = {key.asset_key for key in context.selected_asset_check_keys} | set(keys)
        with warehouse_of(settings).locked(f"making tables, run {context.run.run_id}") as locked:
            made, checks = rebuild(locked, settings, wanted, checked=checked, as_of=as_of)
            blocked = [check for check in checks if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR]
            if not blocked:
                logger.info("published %s", locked.publish())
        for one in made:
            yield _result(one)
        yield from (check for check in checks if _key(check) in context.selected_asset_check_keys)
        if blocked:
            # A blocking check inside one multi-asset stops only later steps; the rest of this step stops here.
            reasons = "; ".join(f"{check.check_name}: {check.description}" for check in blocked)
            raise dg.Failure(f"Nothing was published. {reasons}", allow_retries=False)

    return make_tables


def rebuild(
    locked: LockedWarehouse,
    settings: Settings,
    wanted: Sequence[SqlTable],
    *,
    checked: Collection[dg.AssetKey],
    as_of: datetime,
) -> tuple[list[Made], list[dg.AssetCheckResult]]:
    """Write conf, make the `wanted` tables in order, check the `checked` ones. Publishes nothing."""
    with locked.connect() as writer:
        write_conf_tables(writer, settings, as_of=as_of)
        needed = {name for table in wanted for name in table.dependencies} | {".".join(key.path) for key in checked}
        _require(writer, needed - {table.name for table in wanted})
        started = time.perf_counter()
        made = [_make(writer, table) for table in wanted]
        logger.info("made %d tables in %.1f s", len(made), time.perf_counter() - started)
        return made, list(run_checks(writer.con, checked, thresholds=settings.config.thresholds))


def _key(check: dg.AssetCheckResult) -> dg.AssetCheckKey:
    assert check.asset_key is not None
    assert check.check_name is not None
    return dg.AssetCheckKey(check.asset_key, check.check_name)


def _make(writer: Writer, table: SqlTable) -> Made:
    try:
        rows = writer.run_table(table)
    except Exception as error:
        error.add_note(f"while making {table.name} from {table.path}")
        raise
    types = dict(
        writer.con.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? "
            "ORDER BY column_index",
            [table.schema, table.table],
        ).fetchall()
    )
    return Made(table=table, rows=rows, types=types)


def _require(writer: Writer, names: Collection[str]) -> None:
    """A subset needs tables that an earlier run made."""
    have = writer.con.execute("SELECT table_schema || '.' || table_name FROM information_schema.tables").fetchall()
    missing = sorted(set(names) - {name for (name,) in have})
    if missing:
        raise dg.Failure(
            f"{', '.join(missing)} must be made first: run the job weekly_report once, or select them as well.",
            allow_retries=False,
        )


def _sources(tables: Mapping[str, SqlTable]) -> dict[str, set[str]]:
    """The sources whose records each table is made from, through whatever tables. `tables` is in order."""
    found = {table.qualified_name: {table.source} for table in RAW_TABLES}
    for table in tables.values():
        found[table.name] = set().union(*(found.get(name, set()) for name in table.dependencies))
    return found


def _spec(table: SqlTable, *, sources: Collection[str], freshness: dg.FreshnessPolicy | None) -> dg.AssetSpec:
    reads = [name for name in table.dependencies if name.split(".")[0] not in _ASSET_SCHEMAS]
    return dg.AssetSpec(
        table_key(table.name),
        deps=[table_key(name) for name in table.dependencies if name.split(".")[0] in _ASSET_SCHEMAS],
        group_name=table.schema,
        description=f"{table.description}\n\nGrain: {table.grain}",
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        tags={source_tag(source): "" for source in sorted(sources)},
        freshness_policy=freshness,
        skippable=True,
        code_version=hashlib.sha256(table.sql.encode()).hexdigest()[:12],
        metadata={
            "dagster/table_name": table.name,
            "grain": table.grain,
            "sql_file": dg.MetadataValue.path(table.path),
            **({"settings_read": ", ".join(reads)} if reads else {}),
        },
    )


def _result(made: Made) -> dg.MaterializeResult:
    columns = [
        dg.TableColumn(name, type=type_, description=made.table.columns.get(name)) for name, type_ in made.types.items()
    ]
    return dg.MaterializeResult(
        asset_key=table_key(made.table.name),
        metadata={"dagster/row_count": made.rows, "dagster/column_schema": dg.TableSchema(columns=columns)},
    )


def _parse_as_of(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise dg.Failure(
            f"as_of={text!r} is not a time; write it like 2026-11-23T07:00:00", allow_retries=False
        ) from error
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
