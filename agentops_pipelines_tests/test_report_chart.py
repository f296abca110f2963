"""The chart and the files of a report."""

import re
import struct
from datetime import date, timedelta
from pathlib import Path

import pytest

from agentops_pipelines.report import files
from agentops_pipelines.report.analyse import Report
from agentops_pipelines.report.build import build_report
from agentops_pipelines.report.chart import _DARK, _WIDE, _spec, chart_png, chart_svg
from agentops_pipelines.report.files import write_report
from agentops_pipelines.report.words import chart_alt
from agentops_pipelines_tests.report_data import INTERNAL, WEEK, make_published


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("report") / "agentops.duckdb")


@pytest.fixture(scope="module")
def report(published: Path) -> Report:
    return build_report(published, window_id=WEEK)


def bars(report: Report) -> list[dict]:
    return _spec(report, _DARK, _WIDE)["layer"][0]["data"]["values"]


def test_the_png_has_the_size_that_discord_gets_and_is_the_same_each_time(report) -> None:
    png = chart_png(report)
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (900, 500)
    assert chart_png(report) == png


def test_the_bars_are_the_two_weeks_and_add_up_to_the_headline(report) -> None:
    values = bars(report)
    days = [date(2026, 11, 9) + timedelta(days=n) for n in range(14)]
    assert {value["day"] for value in values} == {day.isoformat() for day in days}
    this_week = sum(value["usd"] for value in values if value["day"] >= "2026-11-16")
    assert this_week == pytest.approx(float(report.money.rank or 0), abs=1e-9)
    assert {value["strength"] for value in values if value["day"] < "2026-11-16"} == {0.5}


def test_the_bars_are_in_the_money_that_leads(tmp_path) -> None:
    report = build_report(make_published(tmp_path / "x.duckdb", calls=[INTERNAL]), window_id=WEEK)
    this_week = sum(value["usd"] for value in bars(report) if value["day"] >= "2026-11-16")
    assert this_week == pytest.approx(369.68, abs=0.01)
    assert "List price per day" in chart_svg(report)


def test_of_many_categories_seven_are_shown_and_the_rest_is_other(tmp_path) -> None:
    many = "UPDATE core.calls SET category = 'a rather long category name, number ' || (hash(session_id) % 40)"
    report = build_report(make_published(tmp_path / "x.duckdb", calls=[many]), window_id=WEEK)
    names = {value["category"] for value in bars(report)}
    assert len(names) == 8
    assert "other" in names
    assert sum(value["usd"] for value in bars(report)) == pytest.approx(
        float((report.money.rank or 0) + (report.trend.previous or 0)), abs=1e-9
    )


def test_a_category_called_other_keeps_its_own_colour(tmp_path) -> None:
    calls = ["UPDATE core.calls SET category = 'other' WHERE category = 'task pickup'"]
    calls.append("UPDATE core.calls SET category = 'x' || hash(call_id) % 9 WHERE category = 'routine work'")
    report = build_report(make_published(tmp_path / "x.duckdb", calls=calls), window_id=WEEK)
    scale = _spec(report, _DARK, _WIDE)["layer"][0]["encoding"]["color"]["scale"]
    assert len(set(scale["domain"])) == len(scale["domain"]) == len(scale["range"]) == 8


def test_the_svg_takes_the_colour_of_the_page_and_refers_to_nothing(report) -> None:
    for narrow in (False, True):
        svg = chart_svg(report, narrow=narrow)
        assert 'fill="currentColor"' in svg
        assert "#01020" not in svg
        assert set(re.findall(r'https?://[^"]*', svg)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }
        assert "Mon" in svg or narrow


def test_a_window_without_cost_is_a_chart_that_says_so(tmp_path) -> None:
    report = build_report(make_published(tmp_path / "x.duckdb", calls=["DELETE FROM core.calls"]), window_id=WEEK)
    assert chart_png(report).startswith(b"\x89PNG")
    assert "no cost in these days" in chart_svg(report)
    assert chart_alt(report).endswith("nothing to show.")


def test_the_chart_in_words(report) -> None:
    assert chart_alt(report).startswith("Spend per day by category, 9 Nov to 22 Nov. Highest: Mon 16 Nov with $10.")


def test_the_files_carry_the_window_in_their_names(report, tmp_path) -> None:
    made = write_report(report, directory=tmp_path / "reports")
    assert made.html.name == "report-2026-W47.html"
    assert made.chart.name == "chart-2026-W47.png"
    assert made.html.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert made.chart.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in made.html.parent.iterdir()) == [made.chart.name, made.html.name]


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(report, tmp_path, monkeypatch) -> None:
    made = write_report(report, directory=tmp_path)
    before = made.html.read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(files.Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_report(report, directory=tmp_path)
    assert made.html.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [made.chart.name, made.html.name]
