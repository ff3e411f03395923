"""The charts of docs/scaling.md, each drawn for a light page and for a dark one. Called by `__main__.py`.

Text stays text in the SVG, in the reader's own font. The hash of what the figures were made from is in each
file, so that a test tells when a chart is older than its figures.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import matplotlib as mpl
from infra.scaling.capacity import ceilings
from infra.scaling.deployed import deployed
from infra.scaling.results import inputs
from infra.scaling.scenarios import BURST, ENVIRONMENT, Run, Trial
from infra.scaling.simulation import Sample
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

MILLION = 1_000_000
FONT = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
_FONTS = re.compile(r"font-family: [^;\"]*")
Shifts: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""Where the names of export workers and orchestrators stand beside their highest points."""
WIDTH_IN = 8.4
"""At 100 points an inch a little less than GitHub's column."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one kind of page. The three of data are told apart by colour-blind readers too."""

    name: str
    ink: str
    quiet: str
    line: str
    blue: str
    orange: str
    green: str


THEMES = (
    Theme("light", "#1f2328", "#59636e", "#d1d9e0", "#0969da", "#bc4c00", "#1a7f37"),
    Theme("dark", "#f0f6fc", "#9198a1", "#3d444d", "#4493f8", "#f0883e", "#3fb950"),
)


def draw_all(folder: Path, runs: Mapping[str, Run], trials: Sequence[Trial]) -> None:
    """Every chart in both themes."""
    charts: dict[str, Callable[[Theme], Figure]] = {
        "burst": lambda theme: _burst(theme, runs["2,000 at once"]),
        "ramp": lambda theme: _ramp(theme, runs["10,000 a minute, sized"]),
        "target": lambda theme: _targets(theme, trials),
        "ceilings": _ceilings,
    }
    for name, draw in charts.items():
        for theme in THEMES:
            with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "opal", "font.size": 10}):
                _save(draw(theme), folder / f"{name}-{theme.name}.svg")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None, "Source": inputs()})
    text = path.read_text("utf-8")
    path.write_text(_FONTS.sub(f"font-family: {FONT}", text), "utf-8")


def _figure(theme: Theme, title: str, subtitle: str, rows: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with its finding as title and panels below one another."""
    figure = Figure(figsize=(WIDTH_IN, height))
    axes = [figure.add_subplot(rows, 1, number + 1) for number in range(rows)]
    figure.text(0.012, 1 - 0.12 / height, title, size=13, weight="bold", color=theme.ink, va="top")
    figure.text(0.012, 1 - 0.40 / height, subtitle, size=10, color=theme.quiet, va="top")
    for each in axes:
        _plain(theme, each)
    return figure, axes


def _plain(theme: Theme, axes: Axes) -> None:
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.line)
    axes.tick_params(colors=theme.quiet, length=0, pad=6)
    axes.grid(visible=True, axis="y", color=theme.line, linewidth=0.6)
    axes.set_axisbelow(True)


def _heading(theme: Theme, axes: Axes, text: str) -> None:
    """What the y axis counts, set level above it."""
    axes.set_title(text, loc="left", size=10, color=theme.ink, pad=8, x=0.0)


def _line(
    axes: Axes, samples: Sequence[Sample], value: Callable[[Sample], float], colour: str, *, step: bool
) -> None:
    # The first look is before anything has arrived.
    minutes, values = [each.at / 60 for each in samples[1:]], [value(each) for each in samples[1:]]
    if step:
        axes.step(minutes, values, where="post", color=colour, linewidth=1.8)
    else:
        axes.plot(minutes, values, color=colour, linewidth=1.8)


def _named(
    axes: Axes, text: str, at: tuple[float, float], colour: str, shift: tuple[float, float] = (6, 0)
) -> None:
    axes.annotate(text, at, xytext=shift, textcoords="offset points", color=colour, va="center", size=10)


def _burst(theme: Theme, run: Run) -> Figure:
    last, scale_down = run.outcome.last_at / 60, run.outcome.last_at / 60 + 6.5
    figure, (above, below) = _figure(
        theme,
        f"A catalogue of {BURST:,} photos is done in {last:.0f} minutes",
        "prod from nothing: the endpoint's instances set the pace; workers are gone five minutes later",
        2,
        4.9,
    )
    figure.subplots_adjust(left=0.075, right=0.86, top=0.80, bottom=0.105, hspace=0.38)
    _line(above, run.jobs, lambda each: each.length, theme.blue, step=False)
    _line(above, run.exports, lambda each: each.length, theme.orange, step=False)
    middle = next(each for each in run.jobs if each.at >= run.outcome.last_at / 2)
    _named(above, "for an orchestrator", (middle.at / 60, middle.length), theme.blue, (8, 10))
    top = max(run.exports, key=lambda each: each.length)
    _named(
        above, f"for an export worker, {top.length} at most", (top.at / 60, top.length), theme.orange, (4, 12)
    )
    _heading(theme, above, "Photos that wait")
    for samples, colour, name, shift in (
        (run.exports, theme.orange, "export workers", (4.0, 9.0)),
        (run.jobs, theme.blue, "orchestrators", (20.0, -10.0)),
    ):
        _line(below, samples, lambda each: each.replicas, colour, step=True)
        most = max(samples, key=lambda each: each.replicas)
        _named(below, name, (most.at / 60, most.replicas), colour, shift)
    _heading(theme, below, "Replicas")
    for axes in (above, below):
        axes.set_xlim(0, scale_down)
        axes.set_ylim(0)
    above.tick_params(labelbottom=False)
    below.set_ylim(0, run.outcome.most_export_workers + 1)
    below.set_xlabel("minutes after the photos arrived", color=theme.quiet, loc="left", labelpad=6)
    above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    return figure


def _ramp(theme: Theme, run: Run) -> Figure:
    oldest = max(run.jobs, key=lambda each: each.age_s)
    full = next(each for each in run.exports if each.replicas >= run.outcome.most_export_workers)
    figure, (above, below) = _figure(
        theme,
        f"10,000 a minute from nothing: all workers in {full.at / 60:.1f} minutes, "
        f"no wait above {oldest.age_s:.0f} s",
        "prod with its limits raised; replicas double, and when the queue was short for a while, too many go",
        2,
        4.9,
    )
    figure.subplots_adjust(left=0.075, right=0.965, top=0.80, bottom=0.105, hspace=0.38)
    panels: tuple[tuple[Axes, Callable[[Sample], float], str, Shifts], ...] = (
        (above, lambda each: each.replicas, "Replicas", ((70.0, 9.0), (150.0, -10.0))),
        (below, lambda each: each.age_s, "Seconds that the oldest message waits", ((2.0, 10.0), (12.0, 8.0))),
    )
    for axes, value, heading, shifts in panels:
        for samples, colour, name, shift in (
            (run.exports, theme.orange, "export workers", shifts[0]),
            (run.jobs, theme.blue, "orchestrators", shifts[1]),
        ):
            _line(axes, samples, value, colour, step=False)
            most = max(samples, key=value)
            _named(axes, name, (most.at / 60, value(most)), colour, shift)
        _heading(theme, axes, heading)
        axes.set_xlim(0, run.jobs[-1].at / 60)
        axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
    above.tick_params(labelbottom=False)
    below.set_xlabel("minutes after the first photo", color=theme.quiet, loc="left", labelpad=6)
    return figure


def _targets(theme: Theme, trials: Sequence[Trial]) -> Figure:
    worker = deployed(ENVIRONMENT).export_worker
    chosen = worker.rule.messages_per_replica / worker.concurrency
    figure, (above, below) = _figure(
        theme,
        "Fewer messages per replica: pictures sooner, more replicas paid",
        "prod with the endpoint four fifths busy, by whether Service Bus counts messages that are in hand",
        2,
        5.2,
    )
    figure.subplots_adjust(left=0.075, right=0.83, top=0.81, bottom=0.105, hspace=0.36)
    for locked, colour, name, shift in (
        (True, theme.blue, "counted", -7),
        (False, theme.orange, "not counted", 7),
    ):
        found = [each for each in trials if each.counts_locked is locked]
        shares = [each.share for each in found]
        for axes, values in (
            (above, [each.total_p95 for each in found]),
            (below, [each.replica_h for each in found]),
        ):
            axes.plot(shares, values, color=colour, linewidth=1.8, marker="o", markersize=4)
            _named(axes, name, (shares[-1], values[-1]), colour, (8, shift))
    _heading(theme, above, "Seconds within which 95 % have their pictures")
    _heading(theme, below, "Replica hours paid in an hour")
    for axes in (above, below):
        axes.set_xscale("log")
        axes.set_ylim(0)
        axes.axvline(chosen, color=theme.quiet, linewidth=0.9, linestyle=(0, (3, 3)), zorder=0)
        axes.set_xticks([each.share for each in trials if each.counts_locked])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.minorticks_off()
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    above.tick_params(labelbottom=False)
    above.annotate(
        "as set",
        (chosen, above.get_ylim()[1]),
        xytext=(5, -6),
        textcoords="offset points",
        color=theme.quiet,
        va="top",
    )
    below.set_xlabel(
        "messages per replica, by what it has in hand at a time", color=theme.quiet, loc="left", labelpad=6
    )
    return figure


def _ceilings(theme: Theme) -> Figure:
    found = ceilings(ENVIRONMENT)[::-1]
    below = [each for each in found if each.per_day < MILLION]
    figure, (axes,) = _figure(
        theme,
        f"A million a day: {len(below)} of {len(found)} limits are in the way",
        "prod, images a day that each part carries when they come evenly",
        1,
        5.0,
    )
    figure.subplots_adjust(left=0.235, right=0.90, top=0.87, bottom=0.12)
    for row, each in enumerate(found):
        colour = theme.orange if each.per_day < MILLION else theme.blue
        axes.plot([1e4, each.per_day], [row, row], color=colour, linewidth=1.2, alpha=0.55)
        axes.plot(
            each.per_day, row, "o", color=colour, markersize=6, fillstyle="full" if each.ours else "none"
        )
        _named(axes, _short(each.per_day), (each.per_day, row), theme.ink, (9, 0))
    axes.axvline(MILLION, color=theme.quiet, linewidth=0.9, linestyle=(0, (3, 3)), zorder=0)
    axes.set_yticks(range(len(found)), [each.part for each in found], color=theme.ink)
    axes.set_xscale("log")
    axes.set_xlim(1e4, 6e8)
    axes.set_ylim(-0.7, len(found) - 0.3)
    axes.grid(visible=False)
    axes.set_xticks([10**power for power in range(4, 9)], [_short(10**power) for power in range(4, 9)])
    axes.minorticks_off()
    # Spaces that SVG does not fold into one.
    axes.set_xlabel(
        "images a day\u2003\u2003● set in infra/\u2003\u2003○ Azure's",
        color=theme.quiet,
        loc="left",
        labelpad=6,
    )
    return figure


def _short(value: float) -> str:
    """`1.7 M`, `40 k`."""
    amount, unit = (value / 1e6, "M") if value >= MILLION else (value / 1e3, "k")
    return f"{amount:.1f} {unit}" if amount < 10 and amount % 1 else f"{amount:,.0f} {unit}"
