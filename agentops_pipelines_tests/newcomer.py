"""Goes the README's way, as somebody does who has just cloned the repository.

    python -m agentops_pipelines_tests.newcomer

runs the README's `sh` blocks, in their order and as they stand there, in a fresh clone and an empty HOME: from the
installation to a message in a Discord on loopback. OpenClaw, LiteLLM and Jira are small ones on this machine. Says how
long each block took. Belongs here: only that; what the commands answer is tested elsewhere.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentops_pipelines.weeks import last_complete_week
from agentops_pipelines_tests.discord_server import DiscordServer, discord
from agentops_pipelines_tests.jira_server import EMAIL, TOKEN, serve_jira, ticket
from agentops_pipelines_tests.litellm_server import API_KEY, serve_litellm
from agentops_pipelines_tests.state_dirs import write_state_dir

ROOT = Path(__file__).parent.parent

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OWN_SETTINGS = ("AGENTOPS_", "OPENCLAW_", "DAGSTER_", "PYTHON", "VIRTUAL_ENV")

_DEV = """\
agentops() {  # `agentops dev` runs until Ctrl-C: here, until its address is shown
  if [ "$1" != dev ]; then command agentops "$@"; return; fi
  : > dev.txt
  command agentops "$@" --port 38917 > dev.txt & local server=$!
  until grep "Dagster is at" dev.txt; do kill -0 "$server"; sleep 0.5; done
  kill -INT "$server"; wait "$server"
}
"""
_NO_DEV = """\
agentops() { if [ "$1" != dev ]; then command agentops "$@"; fi; }
"""
"""`agentops dev` is what test_ui.py is about."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """What came of the README's blocks."""

    code: int
    output: str
    seconds: float
    channel: DiscordServer


def blocks(readme: str) -> list[str]:
    """The commands that a reader is to type, in order."""
    return _BLOCK.findall(readme)


@contextmanager
def go(folder: Path, *, is_installed: bool) -> Iterator[Way]:
    """Run the README in a clone in `folder`; when `is_installed`, in a copy, with this interpreter, without the UI."""
    home, clone = folder / "home", folder / "agentops"
    home.mkdir()
    if is_installed:
        shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        _use_this_environment(clone)
    else:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    with _company(folder) as (there, channel):
        commands = "".join(map(_timed, blocks((clone / "README.md").read_text("utf-8"))))
        script = folder / "newcomer.sh"
        dev = _NO_DEV if is_installed else _DEV
        script.write_text(f"set -euo pipefail\n{dev}{_put(there, commands)}", encoding="utf-8")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
        started = time.monotonic()
        done = subprocess.run(
            ["bash", str(script)],
            cwd=clone,
            env={**environ, "HOME": str(home), "NO_PROXY": "127.0.0.1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        yield Way(code=done.returncode, output=done.stdout, seconds=time.monotonic() - started, channel=channel)


def main() -> None:
    """Go the whole way, installation included."""
    with tempfile.TemporaryDirectory() as folder, go(Path(folder), is_installed=False) as way:
        print(way.output)
        messages = [message.payload for message in way.channel.messages.values()]
        print(f"{way.seconds:.0f} s; in Discord: {[message['content'] for message in messages]}")
        if way.code or len(messages) != 1 or "embeds" not in messages[0]:
            sys.exit(f"the README does not lead to one message in Discord (exit code {way.code})")


def _timed(block: str) -> str:
    return f'{block}echo "--- after $SECONDS s"\n'


def _use_this_environment(clone: Path) -> None:
    """A .venv that `make` takes for installed: this interpreter, with the clone's code."""
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in (("python", ""), ("agentops", "-m agentops_pipelines")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nPYTHONPATH={clone} exec {sys.executable} {arguments} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    (programs.parent / ".installed").touch()


@contextmanager
def _company(folder: Path) -> Iterator[tuple[Mapping[str, str], DiscordServer]]:
    """Small sources on this machine: what stands in the README -> what to use for it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    week = last_complete_week(now, zone=UTC)  # type: ignore[arg-type] - any tzinfo will do
    monday = datetime.fromisocalendar(int(week[:4]), int(week[-2:]), 1)
    calls = [monday + timedelta(hours=9), monday + timedelta(hours=10), now - timedelta(hours=1)]
    state_dir = write_state_dir(folder / "openclaw", calls)
    with ExitStack() as stack:
        proxy = stack.enter_context(serve_litellm())
        jira = stack.enter_context(serve_jira([ticket(1)]))
        channel = stack.enter_context(discord())
        yield (
            {
                "/home/me/.openclaw": str(state_dir),
                "http://localhost:4000": proxy.base_url,
                "sk-... ": f"{API_KEY} ",
                "https://company.atlassian.net": jira.base_url,
                "agentops@company.example": EMAIL,
                "API_TOKEN=... ": f"API_TOKEN={TOKEN} ",
                "https://discord.com/api/webhooks/123/abc": channel.url,
            },
            channel,
        )


def _put(there: Mapping[str, str], text: str) -> str:
    for written, used in there.items():
        assert text.count(written) == 1, f"the README's blocks do not have {written!r} just once"
        text = text.replace(written, used)
    return text


if __name__ == "__main__":
    main()
