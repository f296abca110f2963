"""Rebuilds the packaged sample from the story: `python -m agentops_pipelines.demo.build_sample`.

Belongs here: which files the sample has and how they are packed into one. The packed file is never edited by hand; a
test proves that it holds what this module makes. Reading it is sample.py's part.
"""

import io
import tarfile
from collections.abc import Iterable, Iterator
from typing import Any

import zstandard

from agentops_pipelines.demo import jira_shapes
from agentops_pipelines.demo.company import LAST
from agentops_pipelines.demo.files import File, json_lines, json_text
from agentops_pipelines.demo.litellm_shapes import key_list, model_info, router_settings
from agentops_pipelines.demo.openclaw_sessions import session_files
from agentops_pipelines.demo.openclaw_state import state_files
from agentops_pipelines.demo.sample import (
    CHANGED,
    FIELDS,
    KEYS,
    MODELS,
    PACKED,
    PRIORITIES,
    ROUTES,
    SEARCHED,
    SPEND_LOGS,
    STATUSES,
)
from agentops_pipelines.demo.story import Story, tell

_LEVEL = 22
_WINDOW_LOG = 26
"""64 MB: the whole sample is in reach, so that a row finds the transcript line of the same call."""


def sample_files() -> Iterator[File]:
    """Every file of the sample, Jira's and LiteLLM's first: their readers stop after them."""
    story = tell()
    yield from _jira_files()
    yield from _litellm_files(story)
    yield from session_files(story)
    yield from state_files(story)


def archive(files: Iterable[File]) -> bytes:
    """The files as an uncompressed tar archive that depends on nothing but them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in files:
            member = tarfile.TarInfo(file.path)
            member.size = len(file.content)
            member.mtime = file.changed_at
            tar.addfile(member, io.BytesIO(file.content))
    return buffer.getvalue()


def main() -> None:
    """Write the packed sample beside this module."""
    parameters = zstandard.ZstdCompressionParameters.from_level(_LEVEL, window_log=_WINDOW_LOG)
    content = archive(sample_files())
    packed = zstandard.ZstdCompressor(compression_params=parameters).compress(content)
    PACKED.write_bytes(packed)
    print(f"{PACKED}: {len(packed):,} bytes, {len(content):,} unpacked")


def _jira_files() -> Iterator[File]:
    answers = {
        FIELDS: jira_shapes.fields(),
        STATUSES: jira_shapes.statuses(),
        PRIORITIES: jira_shapes.priorities(),
        SEARCHED: jira_shapes.search(),
        CHANGED: jira_shapes.changelogs(),
    }
    for path, answer in answers.items():
        yield File(path=path, content=json_text(answer).encode())


def _litellm_files(story: Story) -> Iterator[File]:
    yield File(path=SPEND_LOGS, content=json_lines(story.gateway.spend_logs))
    answers: dict[str, Any] = {
        KEYS: key_list(story.gateway.week_spend, story.gateway.total_spend, at=LAST),
        MODELS: model_info(),
        ROUTES: router_settings(),
    }
    for path, answer in answers.items():
        yield File(path=path, content=json_text(answer).encode())


if __name__ == "__main__":
    main()
