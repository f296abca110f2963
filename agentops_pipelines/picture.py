"""The picture in the README: docs/report.svg, the bundled sample's report as a terminal shows it.

Belongs here: how a report becomes an SVG whose text is text, without anything from elsewhere. Does not belong here:
what the report says. `make picture` draws it again.
"""

import io
import re
from pathlib import Path

from rich.console import Console

from agentops_pipelines.report.build import build_report
from agentops_pipelines.report.render import terminal_text
from agentops_pipelines.settings import load_settings
from agentops_pipelines.sqltables import sql_root

_WIDTH = 100
_FOREIGN_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def picture(published: Path) -> str:
    """The report of the last 7 days. Raises PublishedMissing before the first run."""
    report = build_report(published, window_id="trailing_7d")
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(terminal_text(report))
    svg = console.export_svg(title="agentops run --demo", unique_id="report")
    return _FOREIGN_FONTS.sub("", svg).replace("Fira Code", "monospace")


def main() -> None:
    """Draw what `agentops run --demo` published last."""
    path = sql_root().parent / "docs" / "report.svg"
    path.write_text(picture(load_settings(demo=True).published_path), encoding="utf-8")


if __name__ == "__main__":
    main()
