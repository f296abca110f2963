"""What counts as an alert: each kind on rows that a person can add up, at its boundaries, and just below them.

Now is Tuesday 24 November 2026, 08:00 UTC. A working day costs $10, a day of a weekend $2; from 12 to 25 October
nobody worked. All budgets are in hours of $0.50: $365.25 a month.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import duckdb
import pytest

from agentops_pipelines.alert_conf import PERIOD_HOURS, alert_tables
from agentops_pipelines.settings import Config
from agentops_pipelines.warehouse import Warehouse
from agentops_pipelines_tests.alert_world import MADE, alerts, empty_world, make, replace
from agentops_pipelines_tests.mutants import mutants
from agentops_pipelines_tests.rows import Row
from agentops_pipelines_tests.world import AS_OF, rows, tables

FIRST = date(2026, 9, 21)
SUNDAY, MONDAY = date(2026, 11, 22), date(2026, 11, 23)
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)

TOML = """
[budgets.alec]
usd = 365.25
lane = "alec"
[budgets.ben]
usd = 365.25
lane = "ben"
[budgets.everybody]
usd = 365.25
basis = "list"
[budgets.roomy]
usd = 3652.5
[alerts]
pool_minutes = 2
pool_rejections = 2
"""


def ordinary_days() -> dict[date, float]:
    """What each day cost, were nothing unusual."""
    days = [FIRST + n * DAY for n in range((MONDAY - FIRST).days + 1)]
    holidays = (date(2026, 10, 12), date(2026, 10, 25))
    return {day: 2.0 if day.weekday() > 4 else 10.0 for day in days if not holidays[0] <= day <= holidays[1]}


def cost_rows(costs: dict[date, float]) -> list[Row]:
    return [{"local_date": day, "category": "work", "cost_usd": usd, "list_usd": 2 * usd} for day, usd in costs.items()]


def call(at: datetime, *, cost: float = 0.0, listed: float = 0.0, lane: str = "alec", **other: object) -> Row:
    kinds = {"source": "litellm", "match_rule": "none", "status": "ok", "tokens_basis": "reported"}
    names = {"provider": "azure", "model": "gpt"}
    return {"started_at": at, "cost_usd": cost, "list_usd": listed, "lane": lane, **kinds, **names, **other}


def pair(at: datetime) -> Row:
    return call(at, source="both", match_rule="response_id")


def lonely(at: datetime, **other: object) -> Row:
    return call(at, **{"source": "openclaw", **other})


NEWEST = datetime(2026, 11, 24, 7)
"""The gateway's last row."""
PAIRS = [pair(NEWEST - 2 * DAY - n * MINUTE) for n in range(100)]
TODAY = [pair(NEWEST - n * MINUTE) for n in range(27)] + [lonely(NEWEST - n * MINUTE) for n in range(3)]
"""27 of 30 are matched, of 100 before all are."""
NO_CALLS_OF_MATCHING = [
    lonely(NEWEST - MINUTE, status="error"),
    lonely(NEWEST + 30 * MINUTE),  # the gateway was not read since
    lonely(NEWEST - 29 * DAY),
    call(AS_OF + HOUR),  # after the time that counts as now
]

POOLS: list[Row] = [
    {"scope": "pool", "name": "full", "pool": "full", "rpm_limit": 5, "tpm_limit": None},
    {"scope": "deployment", "name": "c", "pool": "full", "rpm_limit": 5, "tpm_limit": None},
    {"scope": "pool", "name": "refused", "pool": "refused", "rpm_limit": 100, "tpm_limit": None},
    {"scope": "deployment", "name": "a", "pool": "refused", "rpm_limit": None, "tpm_limit": 1000},
    {"scope": "pool", "name": "a", "pool": "a", "rpm_limit": None, "tpm_limit": 1},
    {"scope": "deployment", "name": "refused", "pool": None, "rpm_limit": None, "tpm_limit": None},
    {"scope": "deployment", "name": "calm", "pool": None, "rpm_limit": 5, "tpm_limit": 1000},
]


def minute(scope: str, name: str, at: datetime, *, requests: int = 0, used: int = 0, refused: int = 0) -> Row:
    figures = {"requests": requests, "tokens": used, "key_limit_rejections": 9, "vendor_rejections": refused}
    return {"scope": scope, "name": name, "minute_at": at, "deployment_limit_rejections": 0, **figures}


POOL_MINUTES = [
    *(minute(scope, name, AS_OF - n * HOUR, requests=5) for scope, name in (("pool", "full"), ("deployment", "c"))
      for n in (0, 5)),
    *(minute("deployment", "a", AS_OF - n * HOUR, used=800) for n in (1, 2)),
    *(minute("pool", "refused", AS_OF - n * HOUR, requests=79) for n in (1, 2)),
    *(minute("deployment", "refused", AS_OF - n * HOUR, refused=1) for n in (3, 4)),
    # six hours ago and in an hour: neither is now
    *(minute("deployment", "calm", AS_OF + n * HOUR, requests=5) for n in (-6, 0, 1)),
]  # fmt: skip


def unpriced(
    provider: str | None, model: str, tokens: int, *, window: str = "trailing_7d", before: bool = False
) -> Row:
    name = {"provider": provider, "model": model, "window_id": window, "is_previous": before}
    return {**name, "unpriced_tokens": tokens}


UNPRICED = [
    unpriced("custom", "mystery", 60_000),
    unpriced("custom", "mystery", 40_000),
    unpriced("other", "mystery", 100_000),
    unpriced("custom", "small", 99_999),
    unpriced("custom", "small", 1, before=True),
    unpriced("custom", "small", 1, window="2026-W47"),
    unpriced(None, "nameless", 100_000),
]
UNPRICED_CALLS = [
    call(AS_OF - 4 * DAY, provider="custom", model="mystery", tokens_basis="estimated"),
    call(AS_OF - 3 * DAY, provider="custom", model="mystery"),
    call(AS_OF - 2 * DAY, provider="other", model="mystery"),
    call(AS_OF - 5 * DAY, provider="custom", model="small"),
]


def incident(number: int, last_at: datetime) -> Row:
    place = {"key_hash": "hash", "incident_number": number, "key_alias": "alec", "top_model_group": "standard"}
    return {**place, "first_at": last_at - HOUR, "last_at": last_at, "rejections": 3, "limit_usd": 5.0}


def finding(rule: str, severity: str, *, window: str = "trailing_7d", name: str | None = "nightly") -> Row:
    place = {"window_id": window, "host": "local", "job_id": "j1", "agent_id": "alec", "name": name}
    return {**place, "rule": rule, "severity": severity, "runs": 2, "meaning": f"meaning of {rule}"}


def delivery(hours_ago: float, outcome: str, *, wrong: bool = False, quiet: bool = False, **place: str) -> Row:
    at = {"host": "local", "job_id": "j1", "finished_at": AS_OF - hours_ago * HOUR, **place}
    return {**at, "outcome": outcome, "is_wrong_target": wrong, "is_in_quiet_hours": quiet}


DELIVERIES = [
    delivery(60, "delivered"),
    delivery(50, "delivered", wrong=True),
    delivery(40, "delivered", wrong=True, quiet=True),
    delivery(30, "silently_undelivered"),
    delivery(20, "silently_undelivered"),
    delivery(10, "delivery_failed"),
    delivery(5, "delivery_failed", quiet=True),
    # other jobs, and runs of other days
    *(
        delivery(hours, outcome, wrong=True, quiet=True, **place)
        for outcome in ("silently_undelivered", "delivery_failed")
        for hours, place in ((70, {"host": "pi"}), (70, {"job_id": "j2"}), (169, {}), (0, {}))
    ),
    delivery(0, "delivered", job_id="j3", wrong=True),
]
SINCE = {
    "wrong_target": AS_OF - 50 * HOUR,
    "delivered_in_quiet_hours": AS_OF - 40 * HOUR,
    "silently_undelivered": AS_OF - 30 * HOUR,
    "delivery_failed": AS_OF - 10 * HOUR,
    "schedule_problem": None,
}


def source(name: str, scope: str, newest: datetime | None, failures: int = 0) -> Row:
    failing_since = AS_OF - failures * HOUR if failures else None
    return {
        "source": name,
        "scope": scope,
        "newest_data_at": newest,
        "failures": failures,
        "failing_since": failing_since,
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Every kind of alert once, with what is just no alert beside it."""
    home = tmp_path_factory.mktemp("alerts")
    with empty_world(home, first=FIRST, last=MONDAY + DAY, toml=TOML) as con:
        con.execute("UPDATE core.windows SET rank_basis = 'cost'")
        replace(
            con, "mart.daily_cost", cost_rows(ordinary_days() | {date(2026, 11, 12): 60.0, SUNDAY: 9.0, MONDAY: 30.0})
        )
        noon = datetime(2026, 11, 23, 12, 30)
        spent = [
            call(noon, cost=24.0, listed=1.0),
            call(noon - 2 * HOUR, cost=24.0, lane="ben"),
            call(noon - 40 * DAY, cost=9.0),
        ]
        spent += [call(AS_OF + 2 * HOUR, cost=9.0)]
        replace(con, "core.calls", spent + PAIRS + TODAY + NO_CALLS_OF_MATCHING + UNPRICED_CALLS)
        replace(con, "core.pools", POOLS)
        replace(con, "core.pool_minutes", POOL_MINUTES)
        replace(con, "core.window_usage", UNPRICED)
        replace(con, "mart.budget_incidents", [incident(1, AS_OF - DAY), incident(2, AS_OF - DAY + MINUTE)])
        replace(con, "core.cron_deliveries", DELIVERIES)
        findings = [finding("wrong_target", "incident"), finding("delivery_failed", "high", name=None)]
        findings += [finding(rule, "high") for rule in SINCE if rule not in ("wrong_target", "delivery_failed")]
        findings += [{**finding("wrong_target", "high"), "job_id": "j3"}]
        findings += [finding("overdue", "low"), finding("run_failed", "high", window="2026-W47")]
        replace(con, "mart.cron_findings", findings)
        replace(
            con,
            "conf.source_state",
            [
                source("litellm", "proxy", AS_OF - 26 * HOUR, failures=1),
                source("openclaw", "pi", AS_OF - 26 * HOUR - MINUTE, failures=2),
            ],
        )
        make(con)
        yield con


@pytest.fixture
def con(world: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The world, as it was after the test."""
    world.execute("BEGIN")
    yield world
    world.execute("ROLLBACK")


# --- spend


def test_a_day_is_judged_by_its_weekday_and_the_four_weeks_before(con: duckdb.DuckDBPyConnection) -> None:
    """Sunday cost 9 where 2 is usual: 45 on the scale of a working day, 35 steps of a tenth of 10 too much."""
    make(con)
    spend = {day["local_date"]: day for day in rows(con, "FROM mart.daily_spend")}
    figures = ("usd", "weekday_factor", "level_usd", "expected_usd", "z", "history_days", "is_complete")
    assert [tuple(spend[day][name] for name in figures) for day in (SUNDAY, MONDAY, MONDAY + DAY)] == [
        (9.0, 0.2, 10.0, 2.0, 35.0, 56, True),
        (30.0, 1.0, 10.0, 10.0, 20.0, 56, True),
        (0.0, 1.0, 10.0, 10.0, -10.0, 56, False),
    ]
    assert [spend[FIRST + n * DAY]["z"] for n in (0, 13)] == [None, None]
    # before there are three Saturdays, they are days like others
    assert (spend[FIRST + 14 * DAY]["z"], spend[date(2026, 10, 10)]["weekday_factor"]) == (0.0, 1.0)
    assert spend[date(2026, 10, 17)]["weekday_factor"] == 0.2
    assert min(spend) == FIRST


def test_unusual_days_in_a_row_are_one_alert_since_the_first(con: duckdb.DuckDBPyConnection) -> None:
    (alert,) = alerts(con, "spend_anomaly")
    assert alert == {
        "subject": "all",
        "label": None,
        "severity": "high",
        "since_at": datetime(2026, 11, 22),
        "value": 30.0,
        "threshold": 10.0,
        "unit": "usd",
        "detail": "cost",
    }


@pytest.mark.parametrize(
    ("costs", "since"),
    [
        ({SUNDAY: 7.0, MONDAY: 30.0}, datetime(2026, 11, 22)),  # $5 above $2
        ({SUNDAY: 6.99, MONDAY: 30.0}, datetime(2026, 11, 23)),
        ({MONDAY: 17.5}, datetime(2026, 11, 23)),  # 75 % above $10, and 7.5 steps
        ({MONDAY: 17.49}, None),
        ({MONDAY + DAY: 17.5}, datetime(2026, 11, 24)),  # the running day is too dear already
        ({SUNDAY: 9.0, MONDAY: 10.0}, None),  # over
        ({date(2026, 11, 19): 60.0, MONDAY: 30.0}, datetime(2026, 11, 23)),
    ],
)
def test_a_day_must_be_dollars_above_its_expectation(
    con: duckdb.DuckDBPyConnection, costs: dict[date, float], since: datetime | None
) -> None:
    replace(con, "mart.daily_cost", cost_rows(ordinary_days() | costs))
    assert [alert["since_at"] for alert in alerts(con, "spend_anomaly")] == ([since] if since else [])


def test_where_days_differ_much_they_must_differ_more(con: duckdb.DuckDBPyConnection) -> None:
    """$80 and $120 in turn: a median distance of 20 makes 3 robust standard deviations $88.96."""
    days = [MONDAY - n * DAY for n in range(60, 0, -1)]
    costs = {day: (80.0, 120.0)[n % 2] for n, day in enumerate(days)}
    con.execute("UPDATE conf.alert_thresholds SET spend_share = 0")
    for usd, expected in ((188.0, 0), (189.0, 1)):
        replace(con, "mart.daily_cost", cost_rows(costs | {MONDAY: usd}))
        make(con)
        ((level, factor),) = con.execute(
            "SELECT level_usd, weekday_factor FROM mart.daily_spend WHERE local_date = ?", [MONDAY]
        ).fetchall()
        assert (level, factor) == (100.0, 1.0)
        assert len(alerts(con, "spend_anomaly")) == expected


def test_internal_models_are_judged_by_list_prices(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("UPDATE core.windows SET rank_basis = 'list'")
    (alert,) = alerts(con, "spend_anomaly")
    assert (alert["value"], alert["threshold"], alert["detail"]) == (60.0, 20.0, "list")


# --- budgets


def test_a_budget_whose_money_goes_too_fast_says_over_which_hours(con: duckdb.DuckDBPyConnection) -> None:
    """$24 at noon yesterday: 2 times the $12 of 24 hours. Ben's money is not alec's, and list prices were $1."""
    alert, of_ben = alerts(con, "budget_pace")
    assert of_ben["since_at"] == datetime(2026, 11, 23, 10)
    assert alert == {
        "subject": "alec",
        "label": "alec",
        "severity": "high",
        "since_at": datetime(2026, 11, 23, 12),
        "value": 2.0,
        "threshold": 2.0,
        "unit": "times",
        "detail": "24 h",
    }


@pytest.mark.parametrize(
    ("at", "usd", "found"),
    [
        (AS_OF - 5 * HOUR, 12.0, ("high", "6 h", 4.0)),
        (AS_OF - 5 * HOUR, 11.99, None),
        (AS_OF - 6 * HOUR, 24.0, ("high", "24 h", 2.0)),
        (AS_OF - 23 * HOUR, 23.99, None),
        (AS_OF - 167 * HOUR, 96.61, ("medium", "7 d", 1.15)),  # of $84
        (AS_OF - 167 * HOUR, 96.59, None),
        (AS_OF - 168 * HOUR, 500.0, None),
        (AS_OF + HOUR, 500.0, None),
    ],
)
def test_short_spans_need_a_higher_pace(
    con: duckdb.DuckDBPyConnection, at: datetime, usd: float, found: tuple[str, str, float] | None
) -> None:
    replace(con, "core.calls", [call(at, cost=usd)])
    pace = [(a["severity"], a["detail"], round(float(str(a["value"])), 2)) for a in alerts(con, "budget_pace")]
    assert pace == ([found] if found else [])


def test_a_month_is_a_twelfth_of_a_year() -> None:
    assert PERIOD_HOURS == {"day": 24, "week": 7 * 24, "month": 365.25 * 24 / 12}


# --- pools, caps, models


def test_a_pool_is_saturated_by_minutes_near_its_limit_or_by_refusals(con: duckdb.DuckDBPyConnection) -> None:
    """`full` was twice at its limit and speaks for `c`, `a` twice at 80 % of its tokens, `refused` refused twice."""
    found = alerts(con, "pool_saturation")
    names = ("subject", "label", "severity", "since_at", "value", "threshold", "unit")
    assert [tuple(alert[name] for name in names) for alert in found] == [
        ("deployment/a", "a", "medium", AS_OF - 2 * HOUR, 2.0, 2.0, "minutes"),
        ("deployment/refused", "refused", "high", AS_OF - 4 * HOUR, 2.0, 2.0, "requests"),
        ("pool/full", "full", "high", AS_OF - 5 * HOUR, 2.0, 2.0, "minutes"),
    ]


def test_a_spent_budget_cap_is_told_for_a_day(con: duckdb.DuckDBPyConnection) -> None:
    (alert,) = alerts(con, "budget_cap")
    assert (alert["subject"], alert["label"], alert["value"], alert["threshold"], alert["detail"]) == (
        *("hash/2", "alec", 3.0, 5.0),
        "standard",
    )


def test_a_model_without_a_price_matters_from_some_tokens_on(con: duckdb.DuckDBPyConnection) -> None:
    found = alerts(con, "unpriced_model")
    assert [(alert["subject"], alert["value"], alert["since_at"]) for alert in found] == [
        ("/nameless", 100_000.0, None),
        ("custom/mystery", 100_000.0, AS_OF - 3 * DAY),
        ("other/mystery", 100_000.0, AS_OF - 2 * DAY),
    ]


# --- matching, sources, jobs


def test_a_drop_of_the_match_rate_is_seen_within_a_day(con: duckdb.DuckDBPyConnection) -> None:
    (alert,) = alerts(con, "match_drop")
    assert (alert["value"], alert["threshold"], alert["since_at"]) == (0.9, 1.0, NEWEST - DAY)


FEWER_TODAY = [*PAIRS, *TODAY[:26], *TODAY[27:], *NO_CALLS_OF_MATCHING]
FEWER_BEFORE = [*PAIRS[1:], *TODAY, *NO_CALLS_OF_MATCHING]
BETTER_TODAY = [*PAIRS, pair(NEWEST - MINUTE), *TODAY, *NO_CALLS_OF_MATCHING]


@pytest.mark.parametrize("calls", [FEWER_TODAY, FEWER_BEFORE, BETTER_TODAY])
def test_few_calls_or_a_small_drop_are_no_alert(con: duckdb.DuckDBPyConnection, calls: list[Row]) -> None:
    """29 calls today, 99 before, or 28 of 31 matched: 9.7 points."""
    replace(con, "core.calls", calls)
    assert alerts(con, "match_drop") == []


def test_a_source_is_stale_after_26_hours_and_failing_after_two_loads(con: duckdb.DuckDBPyConnection) -> None:
    (stale,) = alerts(con, "source_stale")
    assert (stale["subject"], stale["value"], stale["threshold"]) == ("openclaw", 26 + 1 / 60, 26.0)
    (failing,) = alerts(con, "source_failing")
    assert (failing["subject"], failing["detail"], failing["value"], failing["since_at"]) == (
        *("openclaw/pi", "pi", 2.0),
        AS_OF - 2 * HOUR,
    )


def test_cron_findings_of_high_severity_are_alerts(con: duckdb.DuckDBPyConnection) -> None:
    found = alerts(con, "cron_finding")
    said = {alert["subject"]: (alert["label"], alert["detail"], alert["since_at"]) for alert in found}
    assert said.pop("local/j3/wrong_target")[2] is None  # its run is of after the window
    assert said == {
        f"local/j1/{rule}": ("j1" if rule == "delivery_failed" else "nightly", f"meaning of {rule}", since)
        for rule, since in SINCE.items()
    }


def test_where_nothing_happened_there_is_no_alert(con: duckdb.DuckDBPyConnection) -> None:
    for table in ("mart.daily_cost", "core.calls", "core.pool_minutes", "core.window_usage", "conf.source_state"):
        con.execute(f"DELETE FROM {table}")
    for table in ("mart.cron_findings", "mart.budget_incidents"):
        con.execute(f"DELETE FROM {table}")
    make(con)
    assert rows(con, "FROM mart.alerts") == []


def test_how_the_loads_of_each_part_went(tmp_path) -> None:
    """Two failures after the last good load; a part that was not tried for two days is not configured any more."""
    loads: list[tuple[str, str, datetime, str, datetime | None]] = [
        ("openclaw", "pi", AS_OF - 5 * HOUR, "failed", None),
        ("openclaw", "pi", AS_OF - 4 * HOUR, "ok", AS_OF - 9 * HOUR),
        ("openclaw", "pi", AS_OF - 3 * HOUR, "failed", None),
        ("openclaw", "pi", AS_OF - 2 * HOUR, "failed", None),
        ("openclaw", "mac", AS_OF - HOUR, "ok", AS_OF - 8 * HOUR),
        ("openclaw", "old", AS_OF - 3 * DAY, "ok", AS_OF - 7 * HOUR),
        ("litellm", "proxy", AS_OF - HOUR, "failed", None),
    ]
    with Warehouse(tmp_path).locked("test") as locked, locked.connect() as writer:
        writer.con.executemany(
            "INSERT INTO ops.loads BY NAME SELECT ? AS source, ? AS scope, ? AS finished_at, ? AS status, "
            "? AS newest_data_at",
            loads,
        )
        state = alert_tables(writer, Config())["source_state"].rows()
    assert state == [
        ("litellm", "proxy", None, 1, AS_OF - HOUR),
        ("openclaw", "mac", AS_OF - 8 * HOUR, 0, None),
        ("openclaw", "pi", AS_OF - 8 * HOUR, 2, AS_OF - 3 * HOUR),
    ]


# --- all conditions


def test_every_condition_of_the_tables_decides_something_here(con: duckdb.DuckDBPyConnection) -> None:
    """Conditions on the whole fleet hold or not: each must matter in one of the worlds."""
    con.execute("PRAGMA disable_optimizer")  # which takes longer than the few rows do
    undecided = {name: list(mutants(tables()[name].sql)) for name in MADE}
    for calls in (None, FEWER_TODAY, FEWER_BEFORE, BETTER_TODAY):
        if calls is not None:
            replace(con, "core.calls", calls)
        make(con)
        for name in MADE:
            same = rows_of(con, f"FROM {name}")
            undecided[name] = [pair for pair in undecided[name] if rows_of(con, pair[1]) == same]
    assert {name: [condition for condition, _ in left] for name, left in undecided.items() if left} == {}


def rows_of(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    """The rows of a query in an order of their own; a join that needs its condition gives none."""
    try:
        return sorted(con.execute(sql).fetchall(), key=repr)
    except duckdb.BinderException:
        return []
