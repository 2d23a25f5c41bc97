"""Figures as inline SVG, in the page's own colours, so that they follow light and dark."""

import io
import re
from collections.abc import Sequence

from markupsafe import Markup, escape

__all__ = ["score_histogram"]

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
