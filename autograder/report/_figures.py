"""Figures as inline SVG, in the page's own colours, so that they follow light and dark."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

__all__ = ["score_histogram", "strikes_and_power"]

_BINS = 10
# Stand-ins that nothing else uses, and the style sheet's colours that take their place.
_COLOURS = {"#010203": "currentColor", "#040506": "var(--accent)", "#070809": "var(--muted)"}
_INK, _ACCENT, _MUTED = _COLOURS


def score_histogram(scores: Sequence[float], max_score: float, caption: str) -> Markup:
    """Returns a histogram of scores with their median; `caption` says what it shows in words."""
    # Imported here: it takes a second.
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    edges = [max_score * bin / _BINS for bin in range(_BINS + 1)]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "score_histogram"}):
        figure = Figure(figsize=(6.6, 2.6), layout="constrained")
        axes = figure.subplots()
        bins = [min(max(int(score / max_score * _BINS), 0), _BINS - 1) for score in scores]
        counts = [bins.count(bin) for bin in range(_BINS)]
        width = max_score / _BINS
        bars = axes.bar(edges[:-1], counts, 0.9 * width, 0, align="edge", color=_ACCENT)
        labels = [str(count or "") for count in counts]
        axes.bar_label(bars, labels=labels, padding=2, color=_INK, fontsize=11)
        axes.set_xlim(0, max_score)
        axes.set_ylim(0, max(1, *counts) * 1.18)
        axes.set_xticks(edges[::2])
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlabel("points", color=_INK, fontsize=11)
        axes.set_ylabel("students", color=_INK, fontsize=11)
        axes.tick_params(colors=_INK, labelsize=11)
        axes.spines[:].set_color(_MUTED)
        axes.spines[["top", "right"]].set_visible(False)
        return _inline(figure, caption)


def strikes_and_power(rows: Sequence[Mapping[str, Any]], caption: str) -> Markup:
    """Returns strikes of right draws against 1 %, and how often slightly wrong solutions fail.

    Args:
        rows: Of checks by chance, as in the document of `lgm verify --json`.
        caption: What the figure shows, in words.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    counted = [row for row in rows if row["runs"]][::-1]
    missed = [(row["id"], miss) for row in rows for miss in row["near_misses"]][::-1]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "strikes_and_power"}):
        height = 1.2 + 0.4 * max(len(counted), len(missed))
        figure = Figure(figsize=(12, height), layout="constrained")
        left, right = figure.subplots(1, 2)
        rates = [100 * row["strikes"] / row["runs"] for row in counted]
        above = [100 * row["upper"] - rate for row, rate in zip(counted, rates, strict=True)]
        places = range(len(counted))
        left.errorbar(rates, places, xerr=[[0] * len(rates), above], fmt="o", color=_ACCENT)
        left.axvline(1, color=_INK, linewidth=1, linestyle="--")
        left.set_yticks(places, [row["id"].removeprefix("test_") for row in counted])
        left.set_xlim(0, max(1.2, *(rate + up for rate, up in zip(rates, above, strict=True))))
        left.xaxis.set_major_formatter(PercentFormatter(decimals=1))
        left.set_title("strikes of right draws", color=_INK, fontsize=11)
        shares = [100 * miss["staged"]["failed"] / miss["staged"]["runs"] for _, miss in missed]
        names = [f"{id.removeprefix('test_')}\n{miss['effect']}" for id, miss in missed]
        bars = right.barh(range(len(missed)), shares, 0.7, color=_ACCENT)
        right.bar_label(bars, [f"{share:.0f} %" for share in shares], padding=3, color=_INK)
        right.set_yticks(range(len(missed)), names)
        right.set_xlim(0, 112)
        right.xaxis.set_major_formatter(PercentFormatter(decimals=0))
        right.set_title("slightly wrong solutions that fail", color=_INK, fontsize=11)
        for axes in (left, right):
            axes.tick_params(colors=_INK, labelsize=9)
            axes.spines[:].set_color(_MUTED)
            axes.spines[["top", "right"]].set_visible(False)
        return _inline(figure, caption)


def _inline(figure: object, caption: str) -> Markup:
    """The figure as an element of an HTML page, which needs no name spaces or addresses."""
    buffer = io.StringIO()
    figure.savefig(  # type: ignore[attr-defined]
        buffer,
        format="svg",
        transparent=True,
        metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
    )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r"(<svg[^>]*?) width=\"[^\"]*\"", r"\1", svg, count=1)
    svg = re.sub(r"(<svg[^>]*?) height=\"[^\"]*\"", r"\1", svg, count=1)
    for stand_in, colour in _COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1))  # noqa: S704
