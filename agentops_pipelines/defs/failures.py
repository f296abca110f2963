"""Why steps of a run failed, as sentences for people.

Belongs here: the choice between our own words and those of a library. Does not belong here: where they are shown
(run.py prints them, alerts.py posts them).
"""

import re
from collections.abc import Iterable, Iterator

import dagster as dg

_OWN_EXCEPTIONS = ("Warehouse", "Published", "Settings", "SqlFile", "UnknownWindow", "NotPostable", "Failure")
"""Beginnings of the names of exceptions whose message is a sentence for people."""


def step_failures(events: Iterable[dg.DagsterEvent], *, with_foreign_texts: bool) -> Iterator[str]:
    """A sentence a failed step. What a library says may quote data: it is left out where others could read it."""
    for event in events:
        data = event.step_failure_data
        if data.user_failure_data and data.user_failure_data.description:
            yield data.user_failure_data.description
            continue
        error = data.error
        while error is not None and error.cause is not None and not _is_own(error.cls_name):
            error = error.cause
        name = error.cls_name if error is not None and error.cls_name else "an error"
        text = re.sub(r"^[\w.]+: ", "", error.message).strip().splitlines()[0] if error is not None else ""
        if _is_own(name):
            yield text
        else:
            yield f"step {event.step_key}: {name}" + (f": {text}" if with_foreign_texts else "")


def _is_own(name: str | None) -> bool:
    return name is not None and name.startswith(_OWN_EXCEPTIONS)
