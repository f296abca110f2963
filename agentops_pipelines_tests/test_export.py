"""Exports: mart.focus_costs on a world that a person can add up, and the files made of it and of other tables."""

import csv
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from agentops_pipelines.export import ExportError, export_focus, export_tables
from agentops_pipelines.warehouse import read_published
from agentops_pipelines_tests.mutants import survivors
from agentops_pipelines_tests.rows import batch, line, request
from agentops_pipelines_tests.world import build, rows, tables

HALLOWEEN = datetime(2026, 10, 31, 23, 59)
NOON = datetime(2026, 11, 18, 12)
MANDATORY = {
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd"),
    *("ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity"),
    *("PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName"),
}
"""Columns that FOCUS 1.2 calls mandatory."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two calls of one key and model in November, one in the last minute of October, and one that OpenClaw alone knows.

    Another request of November sends a ticket along, one failed: its tokens are estimates. One is the billed attempt
    of a request that has a row of its own, the model of one has no list price, and nobody knows when one was made.
    """
    requests = [
        request("october", HALLOWEEN, spend_usd=0.5),
        request("first", NOON, spend_usd=0.002),
        request("second", NOON, spend_usd=0.003),
        request("ticket", NOON, spend_usd=0.004, ticket_key="FAD-1"),
        request("failed", NOON, spend_usd=0.0, status="failure", cache_write_tokens=9),
        request("attempt", NOON, spend_usd=0.001, is_attempt=True),
        request("unpriced", NOON, spend_usd=0.006, model="hosted_vllm/lab", provider="hosted_vllm"),
        request("nowhen", NOON, spend_usd=9.0, started_at=None, ended_at=None),
    ]
    lines = [line("u", NOON, {"kind": "user"}), line("direct", NOON, estimate_usd=0.25, input_tokens=7)]
    return build(tmp_path_factory.mktemp("home"), batch(lines=lines, requests=requests), only=["mart.focus_costs"])


@pytest.fixture(scope="module")
def con(published: Path):
    with read_published(published) as connection:
        yield connection


def test_a_charge_is_what_one_kind_of_work_used_of_one_model_in_a_day(con: duckdb.DuckDBPyConnection) -> None:
    """Two requests and an attempt of 160 tokens for $0.006; the failed one and the one with a ticket stand alone."""
    november = rows(
        con,
        "SELECT * FROM mart.focus_costs WHERE billing_account_id = 'litellm' "
        "AND charge_period_start = '2026-11-18' AND x_model = 'azure/gpt-5.4' ORDER BY billed_cost",
    )
    assert [(row["billed_cost"], row["x_requests"], row["pricing_quantity"]) for row in november] == [
        (Decimal("0"), 1, 0),
        (Decimal("0.004"), 1, 160),
        (Decimal("0.006"), 2, 480),
    ]
    assert [row["x_ticket_key"] for row in november] == [None, "FAD-1", None]
    pair = november[2]
    assert (pair["x_input_tokens"], pair["x_cache_read_tokens"], pair["x_output_tokens"]) == (300, 150, 30)
    # gpt-5.4: 3 x (100 x $2.50 + 50 x $0.25 + 10 x $15) a million
    assert pair["list_cost"] == Decimal("0.0012375")
    assert pair["billed_cost"] == pair["effective_cost"] == pair["contracted_cost"]
    assert (pair["billing_period_start"], pair["billing_period_end"]) == (datetime(2026, 11, 1), datetime(2026, 12, 1))
    assert (pair["charge_period_start"], pair["charge_period_end"]) == (datetime(2026, 11, 18), datetime(2026, 11, 19))
    assert (pair["sub_account_name"], pair["sub_account_type"]) == ("alec", "Virtual Key")


def test_without_a_list_price_the_list_cost_is_what_was_paid(con: duckdb.DuckDBPyConnection) -> None:
    (lab,) = rows(con, "SELECT * FROM mart.focus_costs WHERE x_model = 'hosted_vllm/lab'")
    assert (lab["list_cost"], lab["x_is_priced"]) == (Decimal("0.006"), False)


def test_a_call_past_the_gateway_is_billed_by_its_estimate_and_has_no_key(con: duckdb.DuckDBPyConnection) -> None:
    (direct,) = rows(con, "SELECT * FROM mart.focus_costs WHERE billing_account_id = 'openclaw'")
    assert (direct["billed_cost"], direct["x_cost_basis"], direct["pricing_quantity"]) == (
        Decimal("0.25"),
        "estimate",
        67,
    )
    assert (direct["sub_account_id"], direct["sub_account_type"], direct["resource_type"]) == (None, None, "Model")


def test_the_last_minute_of_october_belongs_to_october(con: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows(con, "SELECT * FROM mart.focus_costs WHERE billing_period_start = '2026-10-01'")
    assert (row["billing_period_end"], row["charge_period_start"]) == (datetime(2026, 11, 1), datetime(2026, 10, 31))
    assert row["billed_cost"] == Decimal("0.5")


def test_every_condition_matters_and_no_two_charges_are_alike(con: duckdb.DuckDBPyConnection) -> None:
    assert survivors(con, tables()["mart.focus_costs"].sql) == []
    grain = tables()["mart.focus_costs"].grain.partition("(")[2].partition(")")[0]
    (charges,) = rows(con, "SELECT count(*) AS n FROM mart.focus_costs")
    (grains,) = rows(con, f"SELECT count(*) AS n FROM (SELECT DISTINCT {grain} FROM mart.focus_costs)")
    assert charges == grains


def test_focus_names_every_mandatory_column_and_writes_times_as_iso_8601(published: Path, tmp_path: Path) -> None:
    done = export_focus(published, tmp_path / "focus.csv", format_="csv")
    with done.path.open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert done.rows == len(written) == 6
    assert set(written[0]) >= MANDATORY
    assert {row["BillingPeriodStart"] for row in written} == {"2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"}
    assert sum(Decimal(row["BilledCost"]) for row in written) == Decimal("0.766")
    ticket = next(row for row in written if row["x_TicketKey"])
    assert json.loads(ticket["Tags"])["ticket_key"] == "FAD-1"
    assert json.loads(ticket["Tags"])["lane"] == ticket["x_Lane"]


def test_focus_of_a_month_as_parquet_keeps_its_types(published: Path, tmp_path: Path) -> None:
    done = export_focus(published, tmp_path / "focus.parquet", format_="parquet", month="2026-10")
    (row,) = pl.read_parquet(done.path).to_dicts()
    assert (row["BilledCost"], row["PricingQuantity"]) == (Decimal("0.5"), Decimal(160))
    assert row["ChargePeriodStart"].isoformat() == "2026-10-31T00:00:00+00:00"
    for month, message in (("2026-13", "no month"), ("2025-01", "there are no charges in 2025-01")):
        with pytest.raises(ExportError, match=message):
            export_focus(published, tmp_path / "none.csv", format_="csv", month=month)
    assert not (tmp_path / "none.csv").exists()


def test_tables_go_to_files_of_their_names(published: Path, tmp_path: Path) -> None:
    (mart,) = export_tables(published, ["all"], tmp_path / "exports", format_="parquet")
    assert (mart.path, mart.rows) == (tmp_path / "exports" / "focus_costs.parquet", 6)
    assert pl.read_parquet(mart.path).height == 6
    files = list(export_tables(published, ["focus_costs", "conf.run"], tmp_path, format_="csv"))
    assert [file.path.name for file in files] == ["focus_costs.csv", "conf.run.csv"]
    assert files[1].path.read_text(encoding="utf-8").splitlines()[0] == "as_of,timezone,cost_basis"
    with pytest.raises(ExportError, match=r"there is no table mart\.nothing, x\.y"):
        list(export_tables(published, ["focus_costs", "nothing", "x.y"], tmp_path, format_="csv"))
    with pytest.raises(ExportError, match="there is no directory"):
        list(export_tables(published, ["all"], tmp_path / "nowhere" / "x", format_="csv"))
