"""How figures and names are written, the same way in every output.

Belongs here: one rule for each kind of figure, and what makes a name from the data harmless. Does not belong here:
sentences (words.py) and layout.

Rules: money is `$1,234.56`, `$0.0042` below one cent and `<$0.0001` below that; tokens `812`, `9.4 k`, `940 k`,
`18.2 M`, `1.3 B`; shares are whole percent, `<1 %` and `>99 %` where rounding would say 0 or 100; multiples of an
estimate `1.3x`. Halves round up.
"""

import re
import unicodedata
from decimal import ROUND_HALF_UP, Decimal

from rich.cells import cell_len

NO_PRICE = "no price"

NAME_LIMIT = 200
"""Characters kept of a name."""

_CENT = Decimal("0.01")
_SMALLEST = Decimal("0.0001")
_TENTH = Decimal("0.1")
_TOKEN_UNITS = ((10**3, "k"), (10**6, "M"), (10**9, "B"))
_STACKED_MARKS = re.compile(r"([\u0300-\u036f]{2})[\u0300-\u036f]+")
_SECRETS = (
    re.compile(r"(?<=://)[^/@\s]+(?=@)"),
    re.compile(r"(?<=/api/webhooks/)[\w/-]+"),
    re.compile(r"\b(?:sk-|xox[a-z]-|gh[a-z]_|glpat-|AKIA|ATATT)[A-Za-z0-9_\-=]{8,}"),
    re.compile(r"(?i)(?<=bearer )\S+"),
)


def usd(amount: Decimal | None) -> str:
    """An amount in USD; None is an unknown price, never zero."""
    if amount is None:
        return NO_PRICE
    sign, size = "-" if amount < 0 else "", abs(amount)
    if 0 < size < _SMALLEST:
        return f"{sign}<${_SMALLEST}"
    step = _SMALLEST if 0 < size < _CENT else _CENT
    return f"{sign}${size.quantize(step, ROUND_HALF_UP):,}"


def signed_usd(amount: Decimal | None) -> str:
    """A change in USD, with its sign."""
    return f"+{usd(amount)}" if amount is not None and amount > 0 else usd(amount)


def count(number: int) -> str:
    """A number of things."""
    return f"{number:,}"


def many(number: int, noun: str) -> str:
    """A number of things with their name, which takes an s unless there is one."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def tokens(number: int) -> str:
    """A number of tokens, short."""
    if number < 1000:
        return str(number)
    rounded, unit = Decimal(number), ""
    for size, unit in _TOKEN_UNITS:
        step = Decimal(1) if unit == "k" and number >= 9_950 else _TENTH
        rounded = (Decimal(number) / size).quantize(step, ROUND_HALF_UP)
        if rounded < 1000:
            break
    return f"{rounded:,} {unit}"


def percent(share: float | None) -> str:
    """A share (0 to 1) in whole percent; empty when there is nothing to take a share of."""
    if share is None:
        return ""
    if 0 < share < 0.01:
        return "<1 %"
    if 0.99 < share < 1:
        return ">99 %"
    return _whole_percent(share)


def factor(times: float) -> str:
    """A multiple of an estimate."""
    return f"{Decimal(repr(float(times))).quantize(_TENTH if times >= 0.1 else _CENT, ROUND_HALF_UP):,}x"


def delta(change: float) -> str:
    """A relative change (0.18 is 18 % more)."""
    if change == 0:
        return "no change"
    return (
        f"▲ {percent(change) if change < 0.01 else _whole_percent(change)}" if change > 0 else f"▼ {percent(-change)}"
    )


def _whole_percent(share: float) -> str:
    return f"{(Decimal(repr(float(share))) * 100).quantize(Decimal(1), ROUND_HALF_UP):,} %"


def clean_name(text: str | None) -> str:
    """A name from the data on one line: no control or direction characters, no credentials, never empty."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text or "")
    kept = "".join(c for c in kept if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    for secret in _SECRETS:
        kept = secret.sub("…", kept)
    kept = _STACKED_MARKS.sub(r"\1", unicodedata.normalize("NFC", " ".join(kept.split())))
    return kept[:NAME_LIMIT] or "(no name)"


def units(text: str) -> int:
    """Length in UTF-16 units, the strictest way in which Discord may count."""
    return len(text.encode("utf-16-le")) // 2


def fit(text: str, width: int) -> str:
    """Text cut to `width` terminal cells and UTF-16 units, with an ellipsis where something was cut off."""
    if cell_len(text) <= width and units(text) <= width:
        return text
    kept = text[: max(width - 1, 0)]
    while cell_len(kept) >= width or units(kept) >= width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def isolate(text: str) -> str:
    """Text that may run from right to left, kept from reordering the figures beside it."""
    if any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"
    return text
