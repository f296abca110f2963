"""What an alert says: one sentence of each kind, with its figures.

Belongs here: sentences. Does not belong here: whether an alert holds (sql/mart/alerts.sql), what was told already
(alerts.py), how a name is made harmless (render.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from agentops_pipelines.report.text import count, many, percent, tokens, usd

Writer = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One row of mart.alerts, or another event that is told in the same way."""

    kind: str
    subject: str
    severity: str
    label: str | None = None
    since_at: datetime | None = None
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    detail: str | None = None

    @property
    def amount(self) -> float:
        """The figure that decided; 0 without one."""
        return self.value or 0.0


def alert_words(alert: Alert, *, name: Writer, plain: Writer) -> str:
    """The sentence; `name` writes a name or text from elsewhere, `plain` one of ours."""
    since = f" Since {alert.since_at:%d %b %H:%M} UTC." if alert.since_at else ""
    return _SENTENCES[alert.kind](alert, name, plain) + since


def _spend(alert: Alert, name: Writer, plain: Writer) -> str:
    prices = " at list prices" if alert.detail == "list" else ""
    return f"Unusual spend: {_usd(alert.value)} in a day where {_usd(alert.threshold)} was to be expected{prices}."


def _pace(alert: Alert, name: Writer, plain: Writer) -> str:
    return (
        f"Budget {_who(alert, name)}: over {alert.detail}, money goes {alert.amount:.1f} times as fast as it lasts "
        f"(alert from {alert.threshold or 0:g})."
    )


def _pool(alert: Alert, name: Writer, plain: Writer) -> str:
    what = "Pool" if alert.detail == "pool" else "Deployment"
    if alert.unit == "requests":
        return f"{what} {_who(alert, name)}: {count(int(alert.amount))} requests of 6 hours refused for its limit."
    return f"{what} {_who(alert, name)}: {count(int(alert.amount))} minutes of 6 hours at 80 % of its limit or more."


def _cap(alert: Alert, name: Writer, plain: Writer) -> str:
    budget = f"its budget of {_usd(alert.threshold)} is spent" if alert.threshold else "a budget is spent"
    group = f", most of them to {name(alert.detail)}" if alert.detail else ""
    key = name(alert.label) if alert.label else name(f"{alert.subject[:8]}…")
    return f"Key {key}: {budget}, {many(int(alert.amount), 'request')} refused{group}."


def _unpriced(alert: Alert, name: Writer, plain: Writer) -> str:
    provider = f" of {name(alert.detail)}" if alert.detail else ""
    return (
        f"Model {_who(alert, name)}{provider} has no list price: {tokens(int(alert.amount))} tokens of 7 days. "
        + plain("Name it in [price_aliases].")
    )


def _stale(alert: Alert, name: Writer, plain: Writer) -> str:
    return f"Source {_who(alert, name)}: its newest data is {alert.amount:.0f} hours old."


def _failing(alert: Alert, name: Writer, plain: Writer) -> str:
    part = f" ({name(alert.detail)})" if alert.detail else ""
    return f"Source {_who(alert, name)}{part}: {many(int(alert.amount), 'load')} in a row failed."


def _match(alert: Alert, name: Writer, plain: Writer) -> str:
    return (
        f"{percent(alert.value)} of a day's OpenClaw calls are matched with the gateway's, "
        f"{percent(alert.threshold)} in the 4 weeks before."
    )


def _cron(alert: Alert, name: Writer, plain: Writer) -> str:
    runs = f" ({many(int(alert.amount), 'run')} in 7 days)" if alert.value else ""
    return f"Cron job {_who(alert, name)}: {plain(alert.detail or '')}{runs}."


def _run(alert: Alert, name: Writer, plain: Writer) -> str:
    why = f" {name(alert.detail)}" if alert.detail else ""
    return f"The run {name(alert.subject[:8])} of {_who(alert, name)} failed.{why}"


_SENTENCES: dict[str, Callable[[Alert, Writer, Writer], str]] = {
    "spend_anomaly": _spend,
    "budget_pace": _pace,
    "pool_saturation": _pool,
    "budget_cap": _cap,
    "unpriced_model": _unpriced,
    "source_stale": _stale,
    "source_failing": _failing,
    "match_drop": _match,
    "cron_finding": _cron,
    "run_failed": _run,
}


def _who(alert: Alert, name: Writer) -> str:
    return name(alert.label or alert.subject)


def _usd(amount: float | None) -> str:
    return usd(None if amount is None else Decimal(repr(amount)))
