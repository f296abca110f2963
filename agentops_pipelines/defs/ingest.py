"""What the ingest assets share: their specs, and one way to load a source that may be down.

Belongs here: how a load becomes Dagster results. Does not belong here: how a source is read (sources/).

A source that cannot be read does not stop the run: its tables keep what they have, ops.loads notes the failure, and
the check `source_loaded` fails. Only trouble with the warehouse itself raises.
"""

import logging
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from agentops_pipelines.progress import counted
from agentops_pipelines.settings import Settings, load_settings
from agentops_pipelines.sources.batches import Batch, Ledger, SourceError
from agentops_pipelines.sources.schemas import RAW_TABLES, RawTable
from agentops_pipelines.warehouse import LoadResult, Warehouse, Writer, unwritable

logger = logging.getLogger(__name__)

OWNERS = ("team:agentops",)
SOURCE_LOADED = "source_loaded"
NOT_CONFIGURED = {
    "openclaw": "AGENTOPS_OPENCLAW_STATE_DIRS is not set and there is no ~/.openclaw",
    "litellm": "neither AGENTOPS_LITELLM_DATABASE_URL nor AGENTOPS_LITELLM_BASE_URL is set",
    "jira": "AGENTOPS_JIRA_BASE_URL is not set",
    "otel": "AGENTOPS_OTLP_DIR is not set",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing of a source that is loaded on its own: a state directory, a proxy."""

    scope: str
    """Host or base URL, as people see it in ops.loads."""
    read: Callable[[Ledger, Path], Iterable[Batch]]
    """Gets the ledger and a scratch directory. Raises SourceError when the part cannot be read."""


@dataclass(kw_only=True)
class Loaded:
    """What the parts of a source brought."""

    rows: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """Rows of each raw table in the warehouse, by qualified name."""
    bytes_read: int = 0
    quarantined: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, result: LoadResult) -> None:
        """Count one part's load."""
        for table, rows in result.rows.items():
            self.rows[table] = self.rows.get(table, 0) + rows
        self.bytes_read += result.bytes_read
        self.quarantined += result.quarantined


def tables_of(source: str) -> tuple[RawTable, ...]:
    """The raw tables that one source fills."""
    return tuple(table for table in RAW_TABLES if table.source == source)


def raw_key(table: RawTable) -> dg.AssetKey:
    """The asset key of a raw table: [schema, table]."""
    return dg.AssetKey(["raw", table.name])


def ingest_asset(
    source: str, *, kind: str, description: str, parts_of: Callable[[Settings, datetime], list[Part]]
) -> dg.AssetsDefinition:
    """The multi-asset that loads all raw tables of a source, and its check.

    `parts_of` gets the settings and the time that counts as now; no parts means that the source is not configured.
    """

    @dg.multi_asset(
        name=source,
        description=description,
        specs=_raw_specs(source, kind=kind),
        check_specs=[_source_loaded_spec(source)],
    )
    def ingest() -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        settings = load_settings()
        now = utc_now(settings)
        parts = parts_of(settings, now)
        loaded = load_parts(warehouse_of(settings), source, parts, observed_at=now)
        yield from results(source, loaded, configured=bool(parts))

    return ingest


def _raw_specs(source: str, *, kind: str) -> list[dg.AssetSpec]:
    """One asset per raw table of a source, documented from its declared schema."""
    return [
        dg.AssetSpec(
            raw_key(table),
            group_name=f"raw_{source}",
            description=table.doc,
            kinds={"duckdb", kind},
            owners=OWNERS,
            tags={source_tag(source): ""},
            metadata={
                "dagster/table_name": table.qualified_name,
                "dagster/column_schema": _column_schema(table),
                "grain": f"one row per {', '.join(table.key)}",
            },
        )
        for table in tables_of(source)
    ]


def source_tag(source: str) -> str:
    """The tag of everything that a source's records are in: `tag:agentops/jira` in the UI's search."""
    return f"agentops/{source}"


def _source_loaded_spec(source: str) -> dg.AssetCheckSpec:
    """The check that says whether a source could be read. It never blocks: a report with a gap beats no report."""
    return dg.AssetCheckSpec(
        SOURCE_LOADED,
        asset=raw_key(tables_of(source)[0]),
        description="Every configured part of the source was read. Fails with the setting to look at.",
    )


def load_parts(warehouse: Warehouse, source: str, parts: Sequence[Part], *, observed_at: datetime) -> Loaded:
    """Load every part, each on its own. Raises only WarehouseError."""
    loaded = Loaded()
    with warehouse.locked(f"loading {source}") as locked, locked.connect() as writer:
        for part in parts:
            _load_part(writer, source, part, loaded, observed_at=observed_at, scratch_root=warehouse.home)
        for table in tables_of(source):
            (count,) = writer.con.execute(f"SELECT count(*) FROM {table.qualified_name}").fetchall()[0]
            loaded.counts[table.qualified_name] = count
    return loaded


def results(source: str, loaded: Loaded, *, configured: bool) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """A result per raw table, then the check."""
    status = "not configured" if not configured else "failed" if loaded.problems else "ok"
    for table in tables_of(source):
        yield dg.MaterializeResult(
            asset_key=raw_key(table),
            metadata={
                "status": status,
                "rows_loaded": loaded.rows.get(table.qualified_name, 0),
                "dagster/row_count": loaded.counts[table.qualified_name],
            },
        )
    description = "\n".join(loaded.problems) if configured else f"not configured: {NOT_CONFIGURED[source]}"
    if not configured:
        logger.info("%s: %s", source, description)
    yield dg.AssetCheckResult(
        check_name=SOURCE_LOADED,
        asset_key=raw_key(tables_of(source)[0]),
        passed=not loaded.problems,
        severity=dg.AssetCheckSeverity.ERROR,
        description=description or None,
        metadata={
            "status": status,
            "bytes_read": loaded.bytes_read,
            "quarantined": loaded.quarantined,
        },
    )


def utc_now(settings: Settings) -> datetime:
    """The time a run counts as now (naive UTC): the sample's own, or the clock's."""
    return settings.as_of or datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def warehouse_of(settings: Settings) -> Warehouse:
    """The warehouse that the settings name."""
    return Warehouse(
        settings.home,
        published_path=settings.published_path,
        lock_timeout_seconds=settings.config.lock_timeout_seconds,
    )


def _load_part(
    writer: Writer, source: str, part: Part, loaded: Loaded, *, observed_at: datetime, scratch_root: Path
) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=scratch_root) as scratch:
            batches = counted(part.read(writer.ledger(source), Path(scratch)), f"{source} {part.scope}")
            result = writer.load(source, batches, scope=part.scope, observed_at=observed_at)
    except Exception as error:
        if unwritable(error, home=scratch_root) is not None:
            raise  # no source is to blame: the warehouse says what is wrong
        problem = _problem_of(error, part)
    else:
        loaded.add(result)
        logger.info(
            "%s %s: %s rows, %s bytes read", source, part.scope, f"{result.row_count:,}", f"{result.bytes_read:,}"
        )
        return
    writer.record_failure(source, scope=part.scope, problem=problem)
    loaded.problems.append(problem)
    logger.info("%s %s: not read", source, part.scope)
    logger.warning("%s", problem)


def _column_schema(table: RawTable) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[dg.TableColumn(column.name, type=column.type, description=column.doc) for column in table.columns]
    )


def _problem_of(error: Exception, part: Part) -> str:
    """What to say of a part that was not read."""
    if isinstance(error, SourceError | OSError):
        return str(error)
    # A mistake of ours in one part must not cost the others. The message could quote what was read: only where
    # it happened is logged.
    problem = f"{part.scope}: {type(error).__name__} while reading it, a mistake of the program. Please report it."
    logger.error("%s\n%s", problem, "".join(traceback.format_tb(error.__traceback__)))
    return problem
