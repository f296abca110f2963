"""Terminal, HTML page and Discord message show the same figures, and these are what SQL says of the published file."""

import io
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from agentops_pipelines.report import words
from agentops_pipelines.report.analyse import Report
from agentops_pipelines.report.build import build_report
from agentops_pipelines.report.fetch import UnknownWindow
from agentops_pipelines.report.render import discord_content, discord_embed, html_page, terminal_text
from agentops_pipelines.warehouse import PublishedMissing
from agentops_pipelines_tests.discord_server import _errors
from agentops_pipelines_tests.report_data import INTERNAL, NO_LITELLM, WEEK, make_published

FAILED_LITELLM = (
    "INSERT INTO ops.loads VALUES (9, 'litellm', 'http://litellm:4000', '2026-11-23 08:10', '2026-11-23 08:10', "
    "'failed', 0, 0, 0, NULL, 'AGENTOPS_LITELLM_BASE_URL=http://user:hunter2@litellm:4000: connection refused. "
    "Start it with sk-verysecret12345')"
)
EMPTY = "DELETE FROM core.calls WHERE local_date >= '2026-11-16'"
NO_PREVIOUS = "DELETE FROM core.calls WHERE local_date < '2026-11-16'"


# How a figure is written, said once more and independently of the report.


def dollars(amount: Decimal | None) -> str:
    if amount is None:
        return "no price"
    if amount == 0 or abs(amount) >= Decimal("0.01"):
        return f"{'-' if amount < 0 else ''}${abs(amount).quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
    if abs(amount) < Decimal("0.0001"):
        return f"{'-' if amount < 0 else ''}<$0.0001"
    return f"{'-' if amount < 0 else ''}${abs(amount).quantize(Decimal('0.0001'), ROUND_HALF_UP)}"


def change(amount: Decimal) -> str:
    return ("+" if amount > 0 else "") + dollars(amount)


def short(number: int) -> str:
    if number >= 999_950:
        return f"{(Decimal(number) / 10**6).quantize(Decimal('0.1'), ROUND_HALF_UP)} M"
    if number >= 9_950:
        return f"{(Decimal(number) / 1000).quantize(Decimal(1), ROUND_HALF_UP)} k"
    return str(number) if number < 1000 else f"{(Decimal(number) / 1000).quantize(Decimal('0.1'), ROUND_HALF_UP)} k"


def share(part: Decimal | int, whole: Decimal | int) -> str:
    if 0 < part / Decimal(whole) < Decimal("0.01"):
        return "<1 %"
    return f"{(part * 100 / Decimal(whole)).quantize(Decimal(1), ROUND_HALF_UP)} %"


# Reading the outputs back.


def terminal(report: Report, *, width: int = 100) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(terminal_text(report))
    return file.getvalue()


def terminal_table(report: Report, title: str) -> list[list[str]]:
    """The rows under a heading, read from a terminal too narrow for two tables beside each other."""
    lines = terminal(report, width=95).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(title)) + 1
    block = lines[start : lines.index("", start)]
    return [re.split(r"\s{2,}", line.strip()) for line in block if re.search(r"\S\s{2,}\S", line)]


class Page(HTMLParser):
    """Headings with the table cells and the SQL under them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.queries: dict[str, str] = {}
        self.text = ""
        self._heading = self._kept = ""
        self._bar = self._is_sql = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._kept = "" if tag in ("h2", "td", "th", "code") else self._kept
        self._bar = self._bar if tag != "td" else dict(attrs).get("class") == "bar"
        self._is_sql = self._is_sql or tag == "pre"
        if tag == "tr":
            self.tables.setdefault(self._heading, []).append([])

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2":
            self._heading = self._kept.strip()
        elif tag in ("td", "th") and not self._bar:
            self.tables[self._heading][-1].append(self._kept.strip())
        elif tag == "code" and self._is_sql:
            self.queries[self._heading] = self._kept
            self._is_sql = False
        self._bar = False if tag in ("td", "th") else self._bar

    def handle_data(self, data: str) -> None:
        self._kept += data
        self.text += data


def discord_table(report: Report, title: str) -> list[list[str]]:
    (field,) = [field for field in discord_embed(report)["fields"] if field["name"].startswith(title)]
    lines = field["value"].split("```")[1].strip().splitlines()
    return [re.split(r"\s{2,}", line.strip()) for line in lines]


def columns(table: list[list[str]], *titles: str) -> list[list[str]]:
    indexes = [table[0].index(title) for title in titles]
    return [[row[index] for index in indexes] for row in table[1:]]


def sql(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(path, read_only=True) as con:
        return con.execute(query).fetchall()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("report") / "agentops.duckdb")


@pytest.fixture(scope="module")
def report(published: Path) -> Report:
    return build_report(published, window_id=WEEK)


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(html_page(report))


def made(
    tmp_path: Path, *, calls: Sequence[str] = (), after: Sequence[str] = (), window_id: str = WEEK, **more
) -> Report:
    return build_report(make_published(tmp_path / "made.duckdb", calls=calls, after=after, **more), window_id=window_id)


def all_texts(report: Report) -> dict[str, str]:
    embed = discord_embed(report)
    discord = [discord_content(report), embed["description"], embed["footer"]["text"]]
    discord += [f"{field['name']}\n{field['value']}" for field in embed["fields"]]
    return {
        "terminal": re.sub(r"\s+", " ", terminal(report)),
        "html": re.sub(r"\s+", " ", Page(html_page(report)).text),
        "discord": re.sub(r"\s+", " ", re.sub(r"\\(.)", r"\1", "\n".join(discord))),
    }


# The same figures everywhere.


def test_all_three_say_the_total_the_change_and_the_coverage_that_sql_gives(published, report) -> None:
    cost, listed, before, openclaw_ok, both = sql(
        published,
        "SELECT sum(cost_usd) FILTER (WHERE n = 47), sum(list_usd) FILTER (WHERE n = 47), "
        "sum(cost_usd) FILTER (WHERE n = 46), "
        "count(*) FILTER (WHERE n = 47 AND source <> 'litellm' AND status = 'ok'), "
        "count(*) FILTER (WHERE n = 47 AND source = 'both' AND status = 'ok') "
        "FROM (SELECT *, week(local_date) AS n FROM core.calls)",
    )[0]
    for output, text in all_texts(report).items():
        assert dollars(cost) in text, output
        assert dollars(listed) in text, output
        assert f"▲ {share(cost - before, before)}, {change(cost - before)} against week 46 ({dollars(before)})" in text
        assert f"{share(both, openclaw_ok)} of OpenClaw calls matched" in text, output
    assert f"{dollars(cost)} spend · {dollars(listed)} at list prices · ▲ 32 % against week 46" in discord_content(
        report
    )


@pytest.mark.parametrize(
    ("mart", "name", "terminal_title", "question", "discord_title", "rows_in_terminal", "rows_in_discord"),
    [
        ("cost_by_category", "category", "Where it went", "Where did the money go?", "Where it went", 5, 7),
        ("cost_by_agent", "lane", "By agent", "Which agent spent it?", "By agent", 4, 4),
    ],
)
def test_cost_by_category_and_agent(
    mart, name, terminal_title, question, discord_title, rows_in_terminal, rows_in_discord, published, report, page
) -> None:
    rows = sql(
        published,
        f"SELECT {name}, rank_usd, change_usd, sum(rank_usd) OVER () FROM mart.{mart} "
        f"WHERE window_id = '{WEEK}' ORDER BY rank_usd DESC, total_tokens DESC",
    )
    expected = [[row[0], dollars(row[1]), share(row[1], row[3]), change(row[2])] for row in rows]
    titles = ("category" if name == "category" else "agent", "spend", "of total", "change")

    assert columns(page.tables[question], *titles) == expected
    assert columns(terminal_table(report, terminal_title), *titles)[:rows_in_terminal] == expected[:rows_in_terminal]
    in_discord = discord_table(report, discord_title)
    assert in_discord[:rows_in_discord] == [row[:3] for row in expected[:rows_in_discord]]


def test_what_does_not_fit_is_added_up_in_a_last_row(published, report) -> None:
    rest = sql(
        published,
        f"SELECT sum(rank_usd) FROM (SELECT rank_usd FROM mart.cost_by_category WHERE window_id = '{WEEK}' "
        "ORDER BY rank_usd DESC OFFSET 7)",
    )[0][0]
    assert discord_table(report, "Where it went")[-1] == ["2 more", dollars(rest), "<1 %"]


def test_sessions_by_type(published, report, page) -> None:
    rows = sql(
        published,
        "SELECT session_type, count(DISTINCT session_id) AS n, sum(cost_usd) FROM core.calls "
        "WHERE week(local_date) = 47 GROUP BY session_type ORDER BY n DESC, sum(cost_usd) DESC",
    )
    expected = [[kind, f"{number:,}"] for kind, number, _ in rows]
    with_money = [[kind, f"{number:,}", dollars(cost)] for kind, number, cost in rows]
    question = "How many sessions of each type ran, and who started them?"
    assert columns(page.tables[question], "type", "sessions", "spend") == with_money
    assert columns(terminal_table(report, "Sessions"), "type", "sessions", "spend")[:6] == with_money[:6]
    assert discord_table(report, "Sessions")[:7] == expected[:7]


def test_token_split(published, report, page) -> None:
    (row,) = sql(
        published,
        "SELECT sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens), "
        "sum(reasoning_tokens), sum(total_tokens) FROM core.calls WHERE week(local_date) = 47",
    )
    kinds = ("input", "cache read", "cache write", "output")
    expected = [[kind, short(number), share(number, row[5])] for kind, number in zip(kinds, row, strict=False)]
    assert columns(page.tables["What kind of tokens were they?"], "kind", "tokens", "of total")[:4] == expected
    assert columns(terminal_table(report, "Tokens")[:5], "kind", "tokens", "of total") == expected
    assert discord_table(report, "Tokens") == [line[:2] for line in expected]
    assert ["reasoning in output", short(row[4])] in columns(
        page.tables["What kind of tokens were they?"], "kind", "tokens"
    )


def test_top_five_sessions(published, report, page) -> None:
    rows = sql(
        published,
        "SELECT any_value(k.label), any_value(c.lane), sum(c.cost_usd) AS cost FROM core.calls AS c "
        "JOIN core.session_keys AS k USING (agent_id, session_id) WHERE week(c.local_date) = 47 "
        "GROUP BY session_id ORDER BY cost DESC LIMIT 5",
    )
    expected = [[str(n), label, lane, dollars(cost)] for n, (label, lane, cost) in enumerate(rows, start=1)]
    titles = ("#", "session", "agent", "spend")
    assert columns(page.tables["Which sessions cost the most?"], *titles)[:5] == expected
    assert columns(terminal_table(report, "Top sessions"), *titles) == expected
    assert discord_table(report, "Top sessions") == [[f"{n} {lane} {label}", cost] for n, label, lane, cost in expected]


def test_sessions_of_one_name_are_told_apart_by_the_day_they_began(tmp_path) -> None:
    report = made(tmp_path, calls=["UPDATE core.session_keys SET label = 'main' WHERE label IS NOT NULL"])
    names = [row[1] for row in terminal_table(report, "Top sessions")[1:]]
    assert names[0] == "main, Tue 17 Nov"
    assert all(re.fullmatch(r"main, \w{3} \d+ Nov", name) for name in names)


def test_agents_of_one_lane_say_where_they_come_from(tmp_path) -> None:
    report = made(
        tmp_path,
        calls=[
            "UPDATE core.calls SET lane = 'alec' WHERE lane = 'pipeline'",
            "UPDATE core.calls SET host = 'atlas', lane = 'vera', agent_id = 'vera' WHERE lane = 'costaff'",
        ],
    )
    assert {row[0] for row in discord_table(report, "By agent")} == {
        "alec",
        "alec (gateway)",
        "vera (local)",
        "vera (atlas)",
    }


def test_empty_polls_are_counted(published, report) -> None:
    empty, turns = sql(published, "SELECT count(*) FILTER (WHERE is_empty_poll), count(*) FROM core.turns")[0]
    assert empty
    (shown,) = sql(published, f"SELECT sum(empty_polls) FROM mart.cost_by_category WHERE window_id = '{WEEK}'")[0]
    for output in ("terminal", "discord"):
        assert f"{shown:,} of {report.activity.turns:,} turns found nothing to do" in all_texts(report)[output]
    assert shown < empty < turns


def test_trend_parts_add_up_to_the_change(published, report, page) -> None:
    rows = sql(
        published,
        "SELECT category, rank_usd, previous_rank_usd, change_usd, volume_usd, tokens_per_call_usd, price_mix_usd "
        f"FROM mart.week_over_week WHERE window_id = '{WEEK}' ORDER BY abs(change_usd) DESC",
    )
    assert all(row[3] == sum(row[4:]) for row in rows)
    expected = [[row[0], dollars(row[1]), dollars(row[2]), *map(change, row[3:])] for row in rows]
    titles = ("category", "spend", "week 46", "change", "by calls", "by tokens a call", "by price, model")
    assert columns(page.tables["What changed against week 46, and why?"], *titles) == expected
    trend = report.trend
    assert trend.change == trend.volume + trend.tokens_per_call + trend.price_mix
    for text in all_texts(report).values():
        assert f"more calls {change(trend.volume)}, more tokens a call {change(trend.tokens_per_call)}" in text


def test_models_and_the_unpriced_one(published, report, page) -> None:
    rows = sql(
        published,
        "SELECT provider || '/' || model, count(*), sum(total_tokens), sum(cost_usd) AS cost, sum(list_usd) "
        "FROM core.calls WHERE week(local_date) = 47 GROUP BY provider, model ORDER BY cost DESC",
    )
    expected = [[name, f"{n:,}", short(used), dollars(cost), dollars(listed)] for name, n, used, cost, listed in rows]
    titles = ("model", "calls", "tokens", "spend", "list price")
    assert columns(page.tables["Which models served the calls?"], *titles) == expected
    unpriced = sum(used for _, _, used, _, listed in rows if listed is None)
    for text in all_texts(report).values():
        assert f"1 model without a list price ({short(unpriced)} tokens)" in text


def test_the_sql_under_each_table_gives_its_rows(published, page) -> None:
    assert len(page.queries) >= 9
    for heading, query in page.queries.items():
        if heading not in page.tables or heading == "How much do the figures cover?":
            continue
        rows = sql(published, query)
        shown = page.tables[heading][1:]
        if heading == "What kind of tokens were they?":
            assert {cells[1] for cells in shown} <= {short(number) for number in rows[0]}
        elif heading != "Did every source deliver?":
            assert len(rows) == len(shown), heading


def test_the_trailing_window_compares_with_the_7_days_before(published) -> None:
    report = build_report(published, window_id="trailing_7d")
    (cost, before) = sql(
        published,
        "SELECT sum(cost_usd) FILTER (WHERE started_at >= '2026-11-16 08:00' AND started_at < '2026-11-23 08:00'), "
        "sum(cost_usd) FILTER (WHERE started_at >= '2026-11-09 08:00' AND started_at < '2026-11-16 08:00') "
        "FROM core.calls",
    )[0]
    for text in all_texts(report).values():
        assert "Agent costs, last 7 days" in text
        assert f"{change(cost - before)} against the 7 days before ({dollars(before)})" in text


# Windows at the edges.


def test_an_empty_window_says_so_in_plain_words(tmp_path) -> None:
    report = made(tmp_path, calls=[EMPTY])
    for text in all_texts(report).values():
        assert "no model calls in this window · ▼ 100 % against week 46" in text
    assert [field["name"] for field in discord_embed(report)["fields"]] == []


def test_nothing_at_all_says_so_without_dividing_by_it(tmp_path) -> None:
    report = made(tmp_path, calls=["DELETE FROM core.calls"])
    for text in all_texts(report).values():
        assert "no model calls in this window · no data for the week before" in text
        assert "inf" not in text.replace("information", "")
        assert "nan" not in text.lower()


def test_without_a_week_before_nothing_is_compared(tmp_path) -> None:
    report = made(tmp_path, calls=[NO_PREVIOUS])
    assert report.trend.change is None
    for output, text in all_texts(report).items():
        assert "no data for the week before" in text, output
        assert "▲" not in text
        assert "▼" not in text
    assert "change" not in terminal_table(report, "Where it went")[0]


def test_a_week_before_that_cost_nothing_gives_an_amount_but_no_share(tmp_path) -> None:
    report = made(tmp_path, calls=["UPDATE core.calls SET cost_usd = 0 WHERE local_date < '2026-11-16'"])
    for text in all_texts(report).values():
        assert "+$49.29 against $0.00 in week 46" in text
        assert "inf" not in text


def test_where_internal_models_cost_nothing_list_prices_lead_and_the_text_says_so(tmp_path) -> None:
    report = made(tmp_path, calls=[INTERNAL])
    assert discord_content(report).startswith(
        "**Agent costs, week 47 (16-22 Nov)** $369.68 at list prices · $0.00 spend"
    )
    for text in all_texts(report).values():
        assert "at list prices; internal models cost $0" in text
    assert columns(terminal_table(report, "Where it went"), "category", "list price")[0] == ["task pickup", "$133.55"]
    assert discord_table(report, "By agent (list price)")[0][:2] == ["alec", "$299.04"]


def test_unknown_list_prices_are_no_zero_and_tokens_rank_instead(tmp_path) -> None:
    report = made(tmp_path, calls=[INTERNAL, "UPDATE core.calls SET list_usd = NULL"])
    for text in all_texts(report).values():
        assert "no price to compare with week 46" in text
        assert "100 % of tokens have no list price" in text
        assert "at list prices" not in text
    assert discord_table(report, "Where it went (tokens)")[0] == ["heartbeat poll", "22.3 M", "32 %"]


def test_without_litellm_the_money_is_an_estimate(tmp_path) -> None:
    report = made(tmp_path, calls=[NO_LITELLM], after=["DELETE FROM ops.loads WHERE source = 'litellm'"])
    assert "$48.98 estimated · $369.68 at list prices" in discord_content(report)
    assert "matched" not in discord_content(report)
    for text in all_texts(report).values():
        assert "cost = OpenClaw's own estimate" in text
        assert "no LiteLLM source configured" in text
        assert "spend" not in text.replace("SELECT", "").split("week 47")[1].split("SQL")[0]


def test_a_basis_of_list_prices_is_shown_once(tmp_path) -> None:
    cost_is_list = "UPDATE core.calls SET cost_usd = list_usd, cost_basis = 'list'"
    report = made(tmp_path, calls=[cost_is_list], cost_basis="list")
    assert "** $369.68 at list prices · ▲" in discord_content(report)
    for text in all_texts(report).values():
        assert "cost = public list prices" in text


def test_a_failed_source_comes_first_and_shows_no_secret(tmp_path) -> None:
    report = made(tmp_path, after=[FAILED_LITELLM])
    assert discord_content(report).endswith("⚠\N{NO-BREAK SPACE}LiteLLM could not be loaded")
    assert discord_embed(report)["fields"][0]["name"] == "Needs attention"
    for text in all_texts(report).values():
        assert "http://litellm:4000" in text
        assert "connection refused" in text
        assert "hunter2" not in text
        assert "sk-very" not in text
    assert "hunter2" not in html_page(report)


def test_a_source_that_was_mended_since_is_no_problem(tmp_path) -> None:
    report = made(tmp_path, after=[FAILED_LITELLM.replace("08:10", "07:10").replace("4000'", "9999'")])
    assert report.attention == ()


def test_data_that_ends_before_the_window_does_is_said(tmp_path) -> None:
    report = made(tmp_path, after=["UPDATE ops.loads SET newest_data_at = '2026-11-20 12:00' WHERE source = 'litellm'"])
    for text in all_texts(report).values():
        assert "says nothing after Fri 20 Nov 12:00 UTC" in text
        assert "data until Fri 20 Nov 12:00 UTC" in text


def test_quarantined_inputs_are_counted_by_reason(tmp_path) -> None:
    rows = (
        "SELECT 'openclaw', 'local', 'a.jsonl', n, 'line is not JSON', TIMESTAMP '2026-11-20' FROM range(1200) AS r(n)"
    )
    report = made(tmp_path, after=[f"INSERT INTO ops.quarantine {rows}"])
    for text in all_texts(report).values():
        assert "1,200 inputs of OpenClaw not usable" in text
    assert Page(html_page(report)).tables["What could not be read? (all loads until now)"][1] == [
        "OpenClaw",
        "line is not JSON",
        "1,200",
    ]


def test_times_are_in_the_configured_zone(tmp_path) -> None:
    report = made(tmp_path, zone="Europe/Berlin")
    for text in all_texts(report).values():
        assert "data until Mon 23 Nov 08:55 CET" in text


def test_a_running_week_says_that_it_is_not_over(published) -> None:
    report = build_report(published, window_id="2026-W48")
    assert "week not over yet" in discord_content(report)


def test_the_clock_change_is_told(tmp_path) -> None:
    report = made(tmp_path, after=["UPDATE mart.weekly_summary SET hours = 169"])
    for text in all_texts(report).values():
        assert "the clocks changed: 169 hours" in text


def test_an_unknown_window_names_the_weeks_there_are(published) -> None:
    with pytest.raises(UnknownWindow, match="2026-W45 to 2026-W48"):
        build_report(published, window_id="2030-W01")


def test_a_missing_file_says_to_run_first(tmp_path) -> None:
    with pytest.raises(PublishedMissing, match="agentops run"):
        build_report(tmp_path / "no.duckdb", window_id=WEEK)


# Bounds and hostile names.

MANY = "UPDATE core.calls SET category = 'a rather long category name, number ' || (hash(session_id) % 40)"
HOSTILE = {
    "markdown": "[free money](https://evil.example) **bold** ~~x~~ ||spoiler|| # big",
    "mentions": "@everyone @here <@123456789> <@&99> <#1>",
    "code": "``` `tick` ```\n@everyone",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'",
    "newlines": "one\ntwo\r\nthree\u2028four\x1b[31mred\x00",
    "right to left": "שלום \u202eevil\u2066 עולם",
    "long": "very long " * 60,
    "marks": "z" + "\u0300\u0301\u0302\u0303" * 60,
    "emoji": "👩‍👩‍👧‍👦" * 40,
    "blank": "\u200b\n ",
    "rich": "[bold red]x[/bold red] [link=https://evil.example]y[/link] :boom:",
    "jinja": "{{ report }} {% raw %}",
}


def rich_report(tmp_path: Path, name: str) -> Report:
    """Everything at once: many categories, agents, models, sources, problems, and one name wherever names are."""
    text = name.replace("'", "''")
    return made(
        tmp_path,
        calls=[
            MANY,
            f"UPDATE core.calls SET category = '{text}' || (hash(session_id) % 9) WHERE session_type <> 'heartbeat'",
            f"UPDATE core.calls SET lane = '{text}' || lane, model = '{text}' || model || hash(turn_id) % 9",
            f"UPDATE core.session_keys SET label = '{text}'",
        ],
        after=[
            FAILED_LITELLM,
            f"UPDATE ops.loads SET problem = '{text}', scope = '{text}' WHERE status = 'failed'",
            f"INSERT INTO ops.quarantine SELECT 'openclaw', 'h', 'i', 1, '{text}' || n, now() FROM range(9) AS r(n)",
        ],
    )


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_names_cannot_break_out_or_break_the_layout(name, tmp_path) -> None:
    report = rich_report(tmp_path, name.replace("\x00", ""))

    embed = discord_embed(report)
    assert _errors({"content": discord_content(report), "embeds": [embed]}, {}) == {}
    assert len(embed["fields"]) == 6
    for field in embed["fields"]:
        assert field["name"] == "Needs attention" or field["value"].count("`") == 6
        outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", field["value"], flags=re.DOTALL)
        assert "`" not in outside_code
        assert not re.search(r"@|<|\[|\*\*|evil", outside_code)
        for block in field["value"].split("```")[1::2]:
            assert all(len(line.strip("\u2068\u2069")) <= 34 for line in block.splitlines())
    assert not re.search(r"@everyone|evil|<script", discord_content(report) + embed["description"])

    markup = html_page(report)
    assert "<script" not in markup
    assert "<img" not in markup
    assert "onerror=alert(1)>" not in markup
    page = Page(markup)
    assert len({len(row) for row in page.tables["Where did the money go?"]}) == 1

    lines = terminal(report).splitlines()
    assert len(lines) <= 60
    assert all(Console().measure(line).maximum <= 100 for line in lines)
    assert "\x1b" not in "".join(lines)
    assert "$" in terminal_table(report, "Where it went")[1][1]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160, 300])
def test_the_terminal_report_keeps_its_figures_at_any_width(width, report) -> None:
    text = terminal(report, width=width)
    assert len(text.splitlines()) <= 60 or width < 96
    for figure in ("$49.29", "$17.81", "+$5.67", "69.1 M", "54.6 M", "$1.25"):
        assert figure in text


def test_a_piped_report_has_no_colour_no_boxes_and_no_trailing_blanks(report) -> None:
    text = terminal(report)
    assert not re.search(r"[\x1b│┃━─┏┓]", text)
    assert not re.search(r"[ ]{3,}$", text, flags=re.MULTILINE)


def test_the_page_asks_for_nothing(report) -> None:
    markup = html_page(report)
    without_namespaces = re.sub(r'xmlns(:xlink)?="[^"]*"', "", markup)
    assert not re.search(r"(\bsrc=|href=|@import|url\()", without_namespaces)
    assert "https:" not in without_namespaces
    assert "prefers-color-scheme: dark" in markup
    assert 'name="viewport"' in markup


def test_a_figure_beside_a_sentence_is_not_dimmed_with_it(report: Report) -> None:
    console = Console(file=io.StringIO(), width=100)
    shown = [segment for line in console.render_lines(terminal_text(report)) for segment in line if segment.style]
    dim = "".join(segment.text for segment in shown if segment.style and segment.style.dim)
    assert "human " in dim
    assert not re.search("openai/|anthropic/|ollama/", dim)


def test_templates_are_inside_the_package() -> None:
    folder = Path(words.__file__).parent / "templates"
    assert {path.name for path in folder.iterdir()} == {"discord.j2", "report.html.j2"}


def test_a_report_is_made_of_the_published_file_alone(published, report) -> None:
    """No clock: the same file gives the same text."""
    assert html_page(build_report(published, window_id=WEEK)) == html_page(report)
    assert report.data_until == datetime(2026, 11, 23, 7, 55)
