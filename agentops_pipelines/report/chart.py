"""The chart: money per day, stacked by category, the window and the one before it.

Belongs here: one Vega-Lite specification and its two renderings. Does not belong here: the figures (analyse.py).
Rendering is deterministic and needs neither a browser nor the network.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import vl_convert

from agentops_pipelines.report import words
from agentops_pipelines.report.analyse import DayCost, Report
from agentops_pipelines.report.text import fit, usd

MAX_CATEGORIES = 7
OTHER = "other"

_VEGA_LITE = "5.21"
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_DARK = {"background": "#2b2d31", "ink": "#f2f3f5", "muted": "#b5bac1", "line": "#45484f"}
# In HTML the page decides: these stand-ins become currentColor, so that the chart follows light and dark.
_PAGE = {"background": None, "ink": "#010203", "muted": "#010204", "line": "#010205"}
# Okabe and Ito's colours, told apart by colour-blind readers too; the dark blue is lightened to show on dark.
_PALETTE = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#4c7fd1")
_OTHER_COLOUR = "#999999"


@dataclass(frozen=True, kw_only=True)
class _Size:
    """Pixels of the whole chart and what fits in them."""

    width: int
    height: int
    font: int
    day_format: str
    legend_columns: int
    label_cells: int


_WIDE = _Size(width=900, height=500, font=16, day_format="%a %-d", legend_columns=4, label_cells=20)
_NARROW = _Size(width=420, height=480, font=15, day_format="%-d", legend_columns=2, label_cells=18)


def chart_png(report: Report) -> bytes:
    """The chart for a dark Discord, 900 x 500 pixels."""
    spec = _spec(report, _DARK, _WIDE)
    return vl_convert.vegalite_to_png(spec, vl_version=_VEGA_LITE, scale=1, allowed_base_urls=[])


def start_engine() -> None:
    """Start the engine that draws, which takes a second: a caller with another core at hand need not wait for it."""
    vl_convert.vegalite_to_svg({"mark": "point"}, vl_version=_VEGA_LITE, allowed_base_urls=[])


def chart_svg(report: Report, *, narrow: bool = False) -> str:
    """The chart as inline SVG without a background; its text takes the colour of the text around it.

    `narrow` is for a phone: 420 pixels wide instead of 900.
    """
    spec = _spec(report, _PAGE, _NARROW if narrow else _WIDE)
    svg = vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE, allowed_base_urls=[])
    for key, opacity in (("ink", "1"), ("muted", "0.7"), ("line", "0.2")):
        for attribute in ("fill", "stroke"):
            svg = svg.replace(
                f'{attribute}="{_PAGE[key]}"', f'{attribute}="currentColor" {attribute}-opacity="{opacity}"'
            )
    return svg


def shown_categories(report: Report) -> list[str]:
    """The categories that get a colour of their own, the largest first; the rest is `other`."""
    totals: dict[str, Decimal] = {}
    for day in report.daily:
        totals[day.category] = totals.get(day.category, Decimal(0)) + day.rank
    ranked = sorted((name for name in totals if totals[name] > 0), key=lambda name: (-totals[name], name))
    return ranked[:MAX_CATEGORIES]


def _spec(report: Report, theme: dict[str, Any], size: _Size) -> dict[str, Any]:
    window = report.window
    own = shown_categories(report)
    values = _values(report.daily, own, _labels(own, size), first_date=window.first_date)
    names = [*_labels(own, size), OTHER] if any(value["rank"] == len(own) for value in values) else _labels(own, size)
    days = (window.last_date - window.previous_first_date).days + 1
    domain = [(window.previous_first_date + timedelta(days=n)).isoformat() for n in range(days)]
    axis = {"labelColor": theme["muted"], "labelFontSize": size.font}
    x = {
        "field": "day",
        "type": "ordinal",
        "scale": {"domain": domain, "paddingInner": 0.25, "paddingOuter": 0.15},
        "axis": {
            **axis,
            "title": None,
            "labelAngle": 0,
            "labelExpr": f"split(timeFormat(toDate(datum.value + 'T00:00:00'), '{size.day_format}'), ' ')",
            "labelLineHeight": size.font + 4,
            "labelOverlap": False,
            "ticks": False,
            "domainColor": theme["line"],
            "labelPadding": 8,
        },
    }
    bars = {
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "x": x,
            "y": {
                "field": "usd",
                "type": "quantitative",
                "stack": "zero",
                "axis": {
                    **axis,
                    "title": None,
                    "format": "$,.2f" if _top_of_scale(values) < 5 else "$,.0f",
                    "gridColor": theme["line"],
                    "domain": False,
                    "ticks": False,
                    "tickCount": 5,
                    "labelPadding": 8,
                },
            },
            "color": {
                "field": "category",
                "type": "nominal",
                "scale": {"domain": names, "range": [*_PALETTE[: len(own)], _OTHER_COLOUR]},
                "legend": {
                    "orient": "bottom",
                    "columns": size.legend_columns,
                    "title": None,
                    "labelColor": theme["ink"],
                    "labelFontSize": size.font,
                    "labelLimit": 0,
                    "symbolType": "square",
                    "symbolSize": 200,
                    "symbolStrokeWidth": 0,
                    "columnPadding": 18,
                    "rowPadding": 6,
                    "offset": 18,
                    "symbolOpacity": 1,
                },
            },
            "order": {"field": "rank", "type": "quantitative"},
            "opacity": {"field": "strength", "type": "quantitative", "scale": None, "legend": None},
        },
    }
    layers = [bars, *_period_labels(report, theme, x, size)] if names else [_nothing(theme)]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": size.width,
        "height": size.height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 16, "right": 20, "top": 18, "bottom": 16},
        "background": theme["background"],
        "title": {
            "text": words.chart_title(report) if size is _NARROW else words.chart_heading(report),
            "color": theme["ink"],
            "fontSize": size.font + 4,
            "anchor": "start",
            "offset": 16,
            "fontWeight": 600,
        },
        "config": {"font": _FONT, "view": {"stroke": None}},
        "layer": layers,
    }


def _labels(own: list[str], size: _Size) -> list[str]:
    """The names as the legend shows them, told apart. Vega's own cutting fails on characters outside the BMP."""
    labels: list[str] = []
    for name in own:
        label = fit(name, size.label_cells)
        labels.append(f"{fit(name, size.label_cells - 3)} {len(labels) + 1}" if label in (*labels, OTHER) else label)
    return labels


def _values(daily: tuple[DayCost, ...], own: list[str], labels: list[str], *, first_date: date) -> list[dict[str, Any]]:
    """One value a day and shown category; the rest of a day is added up as `other`."""
    sums: dict[tuple[date, str], Decimal] = {}
    for day in daily:
        key = (day.local_date, day.category if day.category in own else "")
        sums[key] = sums.get(key, Decimal(0)) + day.rank
    return [
        {
            "day": day.isoformat(),
            "category": labels[own.index(category)] if category in own else OTHER,
            "usd": float(amount),
            "rank": own.index(category) if category in own else len(own),
            "strength": 1.0 if day >= first_date else 0.5,
        }
        for (day, category), amount in sums.items()
        if amount > 0
    ]


def _period_labels(report: Report, theme: dict[str, Any], x: dict[str, Any], size: _Size) -> list[dict[str, Any]]:
    """Above each half of the bars: which window it is and what it cost."""
    window = report.window
    before = f"{words.previous_name(window)}: {usd(report.trend.previous)}"
    now = f"{window.label.split(' (')[0]}: {usd(report.money.rank) if window.has_data else 'no model calls'}"
    halves = [
        (window.previous_first_date, before if report.trend.has_previous else words.no_previous(window)),
        (window.first_date, now),
    ]
    return [
        {
            "data": {"values": [{"day": day.isoformat(), "text": text}]},
            "mark": {
                "type": "text",
                "align": "left",
                "baseline": "bottom",
                "dx": -size.width // 56,
                "dy": -8,
                "y": 0,
                "fontSize": size.font + (1 if size is _WIDE else -1),
                "fontWeight": 600 if strong else 400,
                "color": theme["ink" if strong else "muted"],
            },
            "encoding": {"x": x, "text": {"field": "text"}},
        }
        for strong, (day, text) in enumerate(halves)
    ]


def _nothing(theme: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"values": [{"text": "no cost in these days"}]},
        "mark": {"type": "text", "fontSize": 18, "color": theme["muted"]},
        "encoding": {"text": {"field": "text"}},
    }


def _top_of_scale(values: list[dict[str, Any]]) -> float:
    days: dict[str, float] = {}
    for value in values:
        days[value["day"]] = days.get(value["day"], 0.0) + value["usd"]
    return max(days.values(), default=0.0)
