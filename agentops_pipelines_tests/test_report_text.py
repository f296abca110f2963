"""How figures and names are written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agentops_pipelines.report.text import (
    clean_name,
    delta,
    fit,
    isolate,
    percent,
    signed_usd,
    tokens,
    units,
    usd,
)


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (None, "no price"),
        ("0", "$0.00"),
        ("0E-12", "$0.00"),
        ("0.000000000001", "<$0.0001"),
        ("0.00004", "<$0.0001"),
        ("0.0001", "$0.0001"),
        ("0.0042", "$0.0042"),
        ("0.00999", "$0.0100"),
        ("0.01", "$0.01"),
        ("0.125", "$0.13"),
        ("41.2", "$41.20"),
        ("1234567.891", "$1,234,567.89"),
        ("-4.1", "-$4.10"),
        ("-0.0042", "-$0.0042"),
    ],
)
def test_money(amount, written) -> None:
    assert usd(None if amount is None else Decimal(amount)) == written


@pytest.mark.parametrize(("amount", "written"), [("6.3", "+$6.30"), ("-6.3", "-$6.30"), ("0", "$0.00")])
def test_changes_of_money_have_a_sign(amount, written) -> None:
    assert signed_usd(Decimal(amount)) == written


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0 k"),
        (9_449, "9.4 k"),
        (9_949, "9.9 k"),
        (9_950, "10 k"),
        (940_000, "940 k"),
        (999_499, "999 k"),
        (999_500, "1.0 M"),
        (18_200_000, "18.2 M"),
        (999_949_999, "999.9 M"),
        (999_950_000, "1.0 B"),
        (1_234_567_890_000, "1,234.6 B"),
    ],
)
def test_tokens(number, written) -> None:
    assert tokens(number) == written


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (None, ""),
        (0.0, "0 %"),
        (0.0001, "<1 %"),
        (0.01, "1 %"),
        (0.345, "35 %"),
        (0.985, "99 %"),
        (0.9999, ">99 %"),
        (1.0, "100 %"),
    ],
)
def test_shares(share, written) -> None:
    assert percent(share) == written


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (0.18, "▲ 18 %"),
        (-0.04, "▼ 4 %"),
        (0.001, "▲ <1 %"),
        (-0.001, "▼ <1 %"),
        (0, "no change"),
        (0.995, "▲ 100 %"),
        (-1.0, "▼ 100 %"),
        (123.456, "▲ 12,346 %"),
    ],
)
def test_relative_changes(change, written) -> None:
    assert delta(change) == written


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        (None, "(no name)"),
        ("\u200b\n", "(no name)"),
        ("one\ntwo\tthree", "one two three"),
        ("a\u202eb\u2066c\x1b[31m", "abc [31m"),
        ("postgresql://user:hunter2@db/x", "postgresql://…@db/x"),
        ("https://discord.com/api/webhooks/123/abc-DEF", "https://discord.com/api/webhooks/…"),
        ("key sk-proj-abcdefghijkl failed", "key … failed"),
        ("Bearer abc.def", "Bearer …"),
        ("task-skipping desk-12345678 FAD-31", "task-skipping desk-12345678 FAD-31"),
    ],
)
def test_names_are_on_one_line_and_hold_no_credentials(name, cleaned) -> None:
    assert clean_name(name) == cleaned


@given(st.text(max_size=80), st.integers(min_value=1, max_value=40))
def test_a_fitted_name_never_takes_more_than_its_width(name, width) -> None:
    short = fit(clean_name(name), width)
    assert cell_len(short) <= width
    assert units(short) <= width
    short.encode("utf-8")


def test_only_text_that_runs_from_right_to_left_is_isolated() -> None:
    assert isolate("abc") == "abc"
    assert isolate("שלום") == "\u2068שלום\u2069"
