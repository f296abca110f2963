"""The command `agentops`.

Belongs here: options, messages, exit codes. Does not belong here: what a command does. Every module that a command
needs is imported by the command, so that `agentops --help` answers at once (importing Dagster takes a second).

Exit codes: 0 all is well; 1 something failed or is missing, the message says what; 2 nothing is configured, or a
setting or argument cannot be used.
"""

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from agentops_pipelines.report.files import ReportFiles
    from agentops_pipelines.run import RunOutcome
    from agentops_pipelines.settings import Settings

NOTHING_CONFIGURED = """\
Nothing to read: no source is configured. Set at least one of these:

  export AGENTOPS_OPENCLAW_STATE_DIRS=/home/me/.openclaw
  export AGENTOPS_LITELLM_BASE_URL=http://localhost:4000 AGENTOPS_LITELLM_API_KEY=sk-...

Several state directories: name=path, separated by colons (pi=/mnt/pi/.openclaw:mac=/mnt/mac/.openclaw).
To see a report of the bundled sample instead: agentops run --demo"""

demo_option = click.option(
    "--demo", is_flag=True, envvar="AGENTOPS_DEMO", help="Use the bundled sample: no network, no credentials."
)
week_option = click.option("--week", metavar="WEEK", help="An ISO week, such as 2026-W47.")
output_option = click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write to this file, not to the terminal."
)


class Problem(click.ClickException):
    """Something failed or is missing; the message is a sentence for people."""

    def show(self, file: object = None) -> None:
        """Print the message alone."""
        del file
        click.echo(f"agentops: {self.message}", err=True)


class Misconfigured(Problem):
    """Nothing is configured, or a setting or argument cannot be used."""

    exit_code = 2


class Commands(click.Group):
    """A group whose commands end with one line instead of a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; AGENTOPS_DEBUG=1 lets exceptions through."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # `agentops sql ... | head`: nobody reads any more. Python would complain again when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except Exception as error:
            if os.environ.get("AGENTOPS_DEBUG") == "1":
                raise
            raise _problem(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="agentops-pipelines", prog_name="agentops")
def main() -> None:
    """What AI agents cost, and why: OpenClaw sessions and LiteLLM spend logs, joined call by call in DuckDB."""


@main.command()
@week_option
@click.option("--post", is_flag=True, help="Post the report to Discord (the last complete week, or --week).")
@demo_option
def run(*, week: str | None, post: bool, demo: bool) -> None:
    """Load what is new, rebuild all tables, show the report.

    Shows the 7 days up to now, or an ISO week with --week.
    """
    settings = _settings(demo=demo)
    if not settings.openclaw_state_dirs and not settings.has_litellm:
        raise Misconfigured(NOTHING_CONFIGURED)
    if post and settings.discord_webhook_url is None:
        raise Misconfigured(_no_webhook(settings))
    window_id = _window(settings, week=week, post=post)
    progress = _console(stderr=True)
    with progress.status("Loading ...") as status, _progress_lines(progress):
        from rich.markup import escape

        from agentops_pipelines.progress import on_screen
        from agentops_pipelines.run import run_weekly_report  # imports Dagster: a second

        with on_screen(lambda line: status.update(escape(line))) if progress.is_terminal else nullcontext():
            outcome = run_weekly_report(settings, window_id=window_id, post=post)
    _show_run(settings, outcome, window_id=window_id)


@main.command()
@demo_option
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Port of the UI.")
def dev(*, demo: bool, port: int) -> None:
    """Start the Dagster UI and the scheduler; Ctrl-C ends both."""
    from agentops_pipelines.dev import serve

    settings = _settings(demo=demo)
    serve(settings, port=port, say=lambda line: click.echo(line))


class Query(click.Command):
    """A command whose argument may begin with an SQL comment, which is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Tell comments from options: these have no blank after `--` and are one line."""
        comments = [arg for arg in args if arg.startswith("--") and (arg[2:3].isspace() or "\n" in arg)]
        if comments and "--" not in args:
            args = [*(arg for arg in args if arg not in comments), "--", *comments]
        return super().parse_args(ctx, args)


@main.command(cls=Query)
@click.argument("query", required=False)
@demo_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    help="How rows are printed or written; default: table, or what the ending of --output says.",
)
@output_option
def sql(*, query: str | None, demo: bool, format_: str | None, output: Path | None) -> None:
    """Ask the published DuckDB file. QUERY is SQL, a .sql file, or the name of a ready query; without it, type queries.

    `agentops sql .adhoc` lists the ready queries with their questions, `agentops sql .tables` the tables. The file is
    read-only, and a run never has to wait for you nor you for a run.
    """
    from agentops_pipelines import sqlshell

    published = _settings(demo=demo).published_path
    format_ = _format(format_, output)
    if query is None and sys.stdin.isatty():
        if output is not None:
            raise Misconfigured("--output: say which query to write the answer of.")
        sqlshell.interact(published, format_=format_)
        return
    text = sys.stdin.read() if query in (None, "-") else sqlshell.query_text(str(query))
    sqlshell.answer(published, text, format_=format_, output=output)


def _format(format_: str | None, output: Path | None) -> str:
    """The format that was asked for, else the one that the file's ending says."""
    if output is None:
        if format_ == "parquet":
            raise Misconfigured("--format parquet: say where to with --output FILE.")
        return format_ or "table"
    format_ = format_ or output.suffix.removeprefix(".").lower()
    if format_ not in ("csv", "json", "parquet"):
        raise Misconfigured(f"--output {output}: say what to write with --format csv, json or parquet.")
    return format_


@main.command()
@click.argument("kind", type=click.Choice(["focus", "parquet", "csv"]))
@click.argument("tables", nargs=-1)
@output_option
@click.option("--month", metavar="MONTH", help="For focus: only the charges of a month, such as 2026-11 (UTC).")
@demo_option
def export(*, kind: str, tables: tuple[str, ...], output: Path | None, month: str | None, demo: bool) -> None:
    """Write tables for other programs.

    `export focus` writes what was spent as FOCUS 1.2, to focus.csv or the --output FILE (.csv or .parquet).
    `export parquet TABLE...` and `export csv TABLE...` write each table to a file of its name, here or in the --output
    directory: a mart (cost_by_agent), any table with its schema (core.calls), or all marts (all).
    """
    from agentops_pipelines.export import export_focus, export_tables

    published = _settings(demo=demo).published_path
    if kind == "focus":
        if tables:
            raise Misconfigured("export focus: takes no table; it writes mart.focus_costs.")
        path = output or Path("focus.csv")
        format_ = path.suffix.removeprefix(".").lower()
        if format_ not in ("csv", "parquet"):
            raise Misconfigured(f"--output {path}: FOCUS is written to a file that ends with .csv or .parquet.")
        written = [export_focus(published, path, format_=format_, month=month)]
    else:
        if month or not tables:
            raise Misconfigured(f"export {kind}: say which tables (or all), without --month.")
        written = export_tables(published, tables, output or Path(), format_=kind)
    for file in written:
        click.echo(f"{file.path}: {file.rows} rows")


@main.command()
@week_option
@demo_option
def report(*, week: str | None, demo: bool) -> None:
    """Show the report of what was loaded last, and write its files, without a run."""
    settings = _settings(demo=demo)
    _show_report(settings, window_id=_window(settings, week=week, post=False))


@main.command()
@click.option("--backtest", is_flag=True, help="How well the factors would have predicted the finished tickets.")
@demo_option
def calibration(*, backtest: bool, demo: bool) -> None:
    """Compare estimates of tickets with what they used, by method and ticket."""
    from agentops_pipelines import calibration as shown
    from agentops_pipelines.warehouse import read_published

    settings = _settings(demo=demo)
    show = shown.backtest if backtest else shown.calibration
    with read_published(settings.published_path) as connection:
        _console().print(show(connection, zone=settings.config.zone))


@main.command()
@demo_option
def doctor(*, demo: bool) -> None:
    """Check settings, sources, files and Discord, and say what to do."""
    from agentops_pipelines.doctor import examine

    console = _console()
    styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    failed = False
    for finding in examine(demo=demo):
        failed = failed or finding.status == "fail"
        console.print(f"{finding.status:<5}", style=styles[finding.status], end="")
        console.print(f"{finding.subject}: {finding.detail}", markup=False, soft_wrap=True)
        if finding.remedy:
            console.print(f"     -> {finding.remedy}", markup=False, soft_wrap=True)
    if failed:
        sys.exit(1)


@main.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Day to go back to; default: the newest.")
@demo_option
def restore(*, day: datetime | None, demo: bool) -> None:
    """Go back to a published day; the next run catches up.

    For a warehouse that was damaged or holds something it should not. Seven days are kept.
    """
    from agentops_pipelines.warehouse import Warehouse

    settings = _settings(demo=demo)
    warehouse = Warehouse(
        settings.home,
        published_path=settings.published_path,
        lock_timeout_seconds=settings.config.lock_timeout_seconds,
    )
    with warehouse.locked("restoring") as locked:
        restored = locked.restore(day=day.date() if day else None)
    click.echo(f"Restored {restored}; the file that was replaced is kept beside {warehouse.path}.")


@main.command()
@click.option("--resend", metavar="KEY", help="Post this delivery again, even if it may be in the channel.")
def deliveries(*, resend: str | None) -> None:
    """List what was posted to Discord.

    A delivery is 'uncertain' when the connection broke while it was posted: look into the channel, then --resend.
    """
    from agentops_pipelines.report import deliver

    settings = _settings(demo=False)
    path = settings.home / "deliveries.sqlite"
    if resend is not None:
        _resend(settings, resend, path)
        return
    entries = deliver.deliveries(path)
    for entry in entries:
        problem = f"  {entry.problem}" if entry.problem else ""
        click.echo(f"{entry.key:<20} {entry.state:<10} {entry.updated_at:%Y-%m-%d %H:%M} UTC{problem}")
    if not entries:
        click.echo("Nothing was posted yet.")


def _resend(settings: "Settings", key: str, path: Path) -> None:
    from agentops_pipelines.report import deliver
    from agentops_pipelines.report.build import build_report

    if settings.discord_webhook_url is None:
        raise Misconfigured(_no_webhook(settings))
    deliver.resend(key, deliveries_path=path)
    url = settings.discord_webhook_url.get_secret_value()
    if key.startswith("weekly/"):
        report = build_report(settings.published_path, window_id=key.rpartition("/")[2])
        delivery = deliver.post_weekly(report, webhook_url=url, deliveries_path=path)
    else:
        delivery = deliver.post_again(key, webhook_url=url, deliveries_path=path)
    if delivery.state != "sent":
        raise Problem(f"{key} was not posted: {delivery.problem or delivery.state}")
    click.echo(f"{key} was posted.")


def _settings(*, demo: bool) -> "Settings":
    from agentops_pipelines.settings import load_settings

    if demo:
        # The job's steps and the processes of `dev` load their settings themselves.
        os.environ["AGENTOPS_DEMO"] = "1"
    return load_settings(demo=demo)


def _window(settings: "Settings", *, week: str | None, post: bool) -> str:
    from agentops_pipelines.weeks import UnknownWeek, last_complete_week, parse_week

    now = settings.as_of or datetime.now(UTC).replace(tzinfo=None)
    last = last_complete_week(now, zone=settings.config.zone)
    if week is None:
        return last if post else "trailing_7d"
    try:
        window_id = parse_week(week, now=now, zone=settings.config.zone)
    except UnknownWeek as error:
        raise Misconfigured(f"--week {error}") from error
    if post and window_id > last:
        raise Misconfigured(f"--post: {window_id} is not over yet; the last complete week is {last}.")
    return window_id


def _show_run(settings: "Settings", outcome: "RunOutcome", *, window_id: str) -> None:
    """The report, what is wrong with it, where things are, and the exit code."""
    problems = [*outcome.failures, *outcome.missing]
    if outcome.undelivered:
        problems.append(f"Discord: {outcome.undelivered}")
    if outcome.files is not None:
        _show_report(settings, window_id=window_id, files=outcome.files)
        _show_next_steps(settings)
    if outcome.is_published and (nothing := _no_calls_at_all(settings)):
        problems.append(nothing)
    for problem in problems:
        click.echo(f"agentops: {problem}", err=True)
    if outcome.failures:
        state = (
            "all tables were published" if outcome.is_published else "nothing was published, the last good run stays"
        )
        click.echo(f"agentops: run {outcome.run_id[:8]} failed: {state}; `agentops dev` shows its log.", err=True)
    elif outcome.missing:
        click.echo("agentops: the report lacks what could not be read.", err=True)
    if problems:
        sys.exit(1)


def _no_calls_at_all(settings: "Settings") -> str:
    """What to say when no source has a single call; empty when there are some."""
    from agentops_pipelines.warehouse import read_published

    with read_published(settings.published_path) as connection:
        (calls,) = connection.execute("SELECT count(*) FROM core.calls").fetchall()[0]
    return "" if calls else "no source has a single model call; `agentops doctor` shows what each one holds."


def _show_report(settings: "Settings", *, window_id: str, files: "ReportFiles | None" = None) -> None:
    """Print the report and where its files are; without `files` they are written."""
    from agentops_pipelines.report.build import build_report
    from agentops_pipelines.report.render import terminal_text

    report = build_report(settings.published_path, window_id=window_id)
    if files is None:
        from agentops_pipelines.report.files import write_report  # draws the charts: a second of imports and work

        files = write_report(report, directory=settings.home / "reports")
    console = _console()
    console.print(terminal_text(report))
    console.print()
    for name, path in (("Page", files.html), ("Chart", files.chart), ("DuckDB", settings.published_path)):
        console.print(f"{name:<8}{path}", markup=False, soft_wrap=True)


def _show_next_steps(settings: "Settings") -> None:
    demo = " --demo" if settings.demo else ""
    steps = [
        (f'sql{demo} "FROM mart.cost_by_agent"', "ask the published tables"),
        (f"dev{demo}", "the Dagster UI: assets, runs, schedule"),
    ]
    if settings.demo:
        steps.append(("doctor", "what your own OpenClaw and LiteLLM need"))
    width = max(len(step) for step, _ in steps)
    click.echo("\nNext:")
    for step, purpose in steps:
        click.echo(f"  {_command()} {step:<{width}}  # {purpose}")


def _command() -> str:
    """How this very program is called from here."""
    if shutil.which("agentops"):
        return "agentops"
    path = Path(sys.argv[0]).absolute()
    if path.name != "agentops":
        return "python -m agentops_pipelines"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _no_webhook(settings: "Settings") -> str:
    if settings.demo:
        return "--post: the bundled sample is never posted."
    return (
        "--post: AGENTOPS_DISCORD_WEBHOOK_URL is not set. In Discord: channel settings, Integrations, Webhooks, Copy "
        "URL; then export AGENTOPS_DISCORD_WEBHOOK_URL=https://discord.com/api/webhooks/<id>/<token>"
    )


def _problem(error: Exception) -> Problem:
    """An exception as one line. Its own message is shown only when it was written for people."""
    from agentops_pipelines.settings import SettingsError

    if isinstance(error, SettingsError):
        return Misconfigured(str(error))
    if type(error).__module__.startswith("agentops_pipelines."):
        return Problem(str(error))
    if isinstance(error, OSError) and error.filename:
        return Problem(f"{error.filename}: {error.strerror}")
    return Problem(f"{type(error).__name__}: {_first_line(error)} (AGENTOPS_DEBUG=1 shows where)")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


def _console(*, stderr: bool = False) -> "Console":
    """Colour and width of the terminal; plain and 100 columns where there is none."""
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=100, no_color=True)


@contextmanager
def _progress_lines(console: "Console") -> Iterator[None]:
    """Show what the pipeline logs, as it happens."""

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # Problems are said in full at the end, below the report.
            if record.levelno == logging.INFO:
                console.print(record.getMessage(), style="dim", markup=False, soft_wrap=True)

    logger = logging.getLogger("agentops_pipelines")
    handler = Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
