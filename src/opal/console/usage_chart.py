"""Where the bars of a chart stand: credits per day, spent and given back. Drawn by `credits.html.jinja`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from opal.http.credits import CreditDay

HEIGHT: Final = 100.0
"""Of the drawing, in its own units; a day is ``DAY`` wide. The page stretches both."""
DAY: Final = 10.0
_BAR: Final = 7.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: two boxes on top of each other, heights 0 where there is nothing."""

    day: CreditDay
    left: float
    x: float
    width: float
    spent_y: float
    spent_height: float
    back_y: float
    back_height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars from left to right, and the credits that the drawing's top and middle stand for."""

    bars: list[Bar]
    top: int
    width: float


def usage_chart(days: Sequence[CreditDay]) -> Chart:
    """The chart of these days; its scale ends on a round number that no bar is above."""
    top = _round_up(max((each.debited + each.refunded for each in days), default=0))
    bars = [_bar(number, each, HEIGHT / top) for number, each in enumerate(days)]
    return Chart(bars, top, len(days) * DAY)


def _bar(number: int, day: CreditDay, scale: float) -> Bar:
    spent, back = round(day.debited * scale, 2), round(day.refunded * scale, 2)
    left = number * DAY
    return Bar(
        day=day,
        left=left,
        x=left + (DAY - _BAR) / 2,
        width=_BAR,
        spent_y=round(HEIGHT - spent, 2),
        spent_height=spent,
        back_y=round(HEIGHT - spent - back, 2),
        back_height=back,
    )


def _round_up(most: int) -> int:
    """The least of 2, 4, 10, 20, 40, 100, … that is not below: even, for the line in the middle."""
    for power in count():
        for step in (2, 4, 10):
            if step * 10**power >= most:
                return int(step * 10**power)
    raise AssertionError("the steps never end")
