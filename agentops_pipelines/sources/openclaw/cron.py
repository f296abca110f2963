"""Cron jobs and the logs of their runs, wherever an OpenClaw keeps them.

Belongs here: which of three eras' places count, and the files of the first. Up to 2026.5 jobs are in cron/jobs.json and
runs in cron/runs/<job>.jsonl; after that both are in the state database (crontables). Files count only while that holds
no job: what a migration leaves behind is out of date. What a job or an entry means is in cronrows.

Ledger items: each file; `<database>#cron`; see crontables for those of its runs.
"""

import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agentops_pipelines.settings import StateDir
from agentops_pipelines.sources.batches import Batch, Ledger
from agentops_pipelines.sources.openclaw.cronrows import add_job, add_run
from agentops_pipelines.sources.openclaw.crontables import PART, read_tables
from agentops_pipelines.sources.openclaw.files import StateFile
from agentops_pipelines.sources.openclaw.growing import read_growing, taken
from agentops_pipelines.sources.openclaw.lines import LineScanner, Progress, parse, values_of
from agentops_pipelines.sources.openclaw.machine import (
    MIGRATED,
    TableSink,
    changed_content,
    names_in,
    read_state_database,
    state_file,
)
from agentops_pipelines.sources.openclaw.phrases import PollPhrases
from agentops_pipelines.sources.openclaw.values import mapping

if TYPE_CHECKING:
    from agentops_pipelines.sources.openclaw.reader import ReadRules

READER = "openclaw-cron-1"
"""Raise it when the same input gives other rows: everything that still exists is then read again."""

_JOBS_FILE = "cron/jobs.json"
_RUNS_FOLDER = "cron/runs"
_RUN_LOG = re.compile(r"[^.].*?\.jsonl(?P<migrated>\.migrated)?", re.DOTALL)


def read_cron(state_dir: StateDir, *, ledger: Ledger, rules: "ReadRules", scratch: Path) -> Iterator[Batch]:
    """Cron jobs and finished runs that the ledger does not know of: OPENCLAW_CRON_JOBS, OPENCLAW_CRON_RUNS.

    Jobs are yielded all together whenever their store changed. Nothing is read, and nothing yielded, when nothing did.
    """
    phrases = PollPhrases(rules.empty_poll_phrases)
    sink = TableSink(source=ledger.source, host=state_dir.host, reader=rules.version_of(READER))
    read = partial(read_tables, sink=sink, ledger=ledger, phrases=phrases)
    jobs = yield from read_state_database(state_dir, part=PART, read=read, sink=sink, ledger=ledger, scratch=scratch)
    if jobs == 0:
        _read_jobs_file(state_dir, sink=sink, ledger=ledger)
        for file in _run_logs(state_dir, sink=sink):
            log_of = partial(_RunLog, item=file.item, sink=sink, phrases=phrases)
            yield from read_growing(file, log_of, sink=sink, ledger=ledger, now=time.time())
    yield from taken(sink)


def _read_jobs_file(state_dir: StateDir, *, sink: TableSink, ledger: Ledger) -> None:
    found = (state_file(state_dir, name, sink=sink) for name in (_JOBS_FILE, _JOBS_FILE + MIGRATED))
    file = next((file for file in found if file is not None), None)
    content = changed_content(file, sink=sink, ledger=ledger) if file is not None else None
    if file is None or content is None:
        return
    store = parse(content.strip(b"\0\xef\xbb\xbf \r\n"))
    jobs = store.get("jobs") if isinstance(store, dict) else store
    if not isinstance(jobs, list):
        sink.refuse(file.item, 0, "broken_json" if store is None else "wrong_type")
        return
    for number, job in enumerate(jobs, start=1):
        add_job(mapping(job), mapping(mapping(job).get("state")), sink=sink, item=file.item, position=number)


def _run_logs(state_dir: StateDir, *, sink: TableSink) -> Iterator[StateFile]:
    """The logs, migrated ones only where there is no log of the same job beside them."""
    names = names_in(state_dir, _RUNS_FOLDER, sink=sink)
    for name in names:
        match = _RUN_LOG.fullmatch(name)
        if match is None or (match["migrated"] and name.removesuffix(MIGRATED) in names):
            continue
        file = state_file(state_dir, f"{_RUNS_FOLDER}/{name}", sink=sink)
        if file is not None:
            yield file


class _RunLog:
    """The lines of one cron/runs/<job>.jsonl."""

    SKIP = re.compile(rb"(?!)")
    OPENING = b'{"ts":'

    def __init__(self, job_id: str, *, item: str, sink: TableSink, phrases: PollPhrases) -> None:
        self.session_id = job_id
        self._item = item
        self._sink = sink
        self._phrases = phrases

    def scanner(self, begin: Progress) -> LineScanner:
        """A scanner that hands this log its lines."""
        return LineScanner(
            skip=self.SKIP,
            opening=self.OPENING,
            handle=self._add,
            refuse_long=lambda index: self.refuse(index, "line_too_long"),
            begin=begin,
        )

    def handle_last(self, raw: bytes, index: int) -> None:
        """A last line that has no end but is whole."""
        self._add(raw, index)

    def refuse(self, index: int, reason: str) -> None:
        """Note a line that cannot be used."""
        self._sink.refuse(self._item, index + 1, reason)

    def progress(self, scanned: Progress) -> Progress:
        """Every line scanned is done with."""
        return scanned

    def finish(self, *, is_from_beginning: bool, lines: int) -> None:
        """The end is reached."""

    def _add(self, raw: bytes, index: int) -> None:
        if not raw.strip():
            return
        entries, reason = values_of(raw, openings=(self.OPENING,))
        if reason is not None:
            self.refuse(index, reason)
        for entry in entries:
            add_run(
                entry,
                sink=self._sink,
                item=self._item,
                position=index + 1,
                job_id=self.session_id,
                phrases=self._phrases,
            )
