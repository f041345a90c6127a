"""Small plots as inline SVG: no script, no external file, colours by CSS class of the page."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

Points = Sequence[tuple[float, float]]
WIDTH = 860
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 14, 30


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about `count` round numbers from `low` to `high`, both ends within half a step."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """Return a number as people write it on an axis."""
    if value == 0:
        return "0"
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def clock(seconds: float) -> str:
    """Return seconds since the start as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@dataclass
class Plot:
    """One plot with axes. Coordinates are data; drawing order is call order. `label` is for readers
    who cannot see it."""

    label: str
    x: tuple[float, float]
    y: tuple[float, float]
    height: int = 170
    x_format: Callable[[float], str] = clock
    y_format: Callable[[float], str] = number
    y_title: str = ""
    log_y: bool = False
    _parts: list[str] = field(default_factory=list)

    def px(self, value: float) -> float:
        """Return the horizontal position of a data value, clipped to the plot."""
        low, high = self.x
        share = (value - low) / (high - low) if high > low else 0.0
        return round(_LEFT + min(1.0, max(0.0, share)) * (WIDTH - _LEFT - _RIGHT), 1)

    def py(self, value: float) -> float:
        """Return the vertical position of a data value, clipped to the plot."""
        low, high = self.y
        if self.log_y:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, low))
        share = (value - low) / (high - low) if high > low else 0.0
        return round(self.height - _BOTTOM - min(1.0, max(0.0, share)) * (self.height - _TOP - _BOTTOM), 1)

    def line(self, points: Points, kind: str, title: str = "") -> None:
        """Draw a line through the points."""
        if points:
            path = "M" + "L".join(f"{self.px(x)},{self.py(y)}" for x, y in points)
            self._add(f'<path class="line {kind}" d="{path}">{_title(title)}</path>')

    def step(self, points: Points, kind: str, title: str = "", *, filled: bool = False) -> None:
        """Draw a staircase: each value holds until the next point."""
        if not points:
            return
        path = f"M{self.px(points[0][0])},{self.py(points[0][1])}"
        for x, y in points[1:]:
            path += f"H{self.px(x)}V{self.py(y)}"
        if filled:
            base = self.py(self.y[0])
            area = f"{path}V{base}H{self.px(points[0][0])}Z"
            self._add(f'<path class="area {kind}" d="{area}"/>')
        self._add(f'<path class="line {kind}" d="{path}">{_title(title)}</path>')

    def area(self, low: Points, high: Points, kind: str, title: str = "") -> None:
        """Fill between two lines over the same x."""
        if low:
            forth = "L".join(f"{self.px(x)},{self.py(y)}" for x, y in high)
            back = "L".join(f"{self.px(x)},{self.py(y)}" for x, y in reversed(low))
            self._add(f'<path class="area {kind}" d="M{forth}L{back}Z">{_title(title)}</path>')

    def bound(self, y: float, kind: str, text: str) -> None:
        """Draw a dashed horizontal line with its name."""
        at = self.py(y)
        self._add(f'<path class="bound {kind}" d="M{_LEFT},{at}H{WIDTH - _RIGHT}"/>')
        self._add(f'<text class="note {kind}" x="{_LEFT + 6}" y="{at - 5}">{escape(text)}</text>')

    def mark(self, x: float, kind: str, text: str, *, row: int = 0) -> None:
        """Draw a vertical line at an event, with its name."""
        at = self.px(x)
        near_end = at > WIDTH - 150
        anchor, shift = ("end", -4) if near_end else ("start", 4)
        self._add(f'<path class="mark {kind}" d="M{at},{_TOP}V{self.height - _BOTTOM}"/>')
        where = f'x="{at + shift}" y="{_TOP + 11 + 13 * row}" text-anchor="{anchor}"'
        self._add(f'<text class="note {kind}" {where}>{escape(text)}</text>')

    def band(self, x0: float, x1: float, kind: str, title: str = "") -> None:
        """Shade a stretch of time."""
        left, right = self.px(x0), self.px(x1)
        size = f'width="{max(0.5, right - left):.1f}" height="{self.height - _TOP - _BOTTOM}"'
        self._add(f'<rect class="band {kind}" x="{left}" y="{_TOP}" {size}>{_title(title)}</rect>')

    def caption(self, x: float, text: str, title: str = "") -> None:
        """Write a small text at the top, centred at x."""
        where = f'x="{self.px(x)}" y="{_TOP + 11}" text-anchor="middle"'
        self._add(f'<text class="tick" {where}>{escape(text)}{_title(title)}</text>')

    def svg(self) -> str:
        """Return the finished element."""
        bottom = self.height - _BOTTOM
        grid = []
        for value in self._y_ticks():
            at = self.py(value)
            grid.append(f'<path class="grid" d="M{_LEFT},{at}H{WIDTH - _RIGHT}"/>')
            text = escape(self.y_format(value))
            grid.append(f'<text class="tick" x="{_LEFT - 8}" y="{at + 4}" text-anchor="end">{text}</text>')
        for value in nice_ticks(*self.x, count=8) if self.x_format is not clock else _clock_ticks(*self.x):
            text = escape(self.x_format(value))
            where = f'x="{self.px(value)}" y="{bottom + 18}"'
            grid.append(f'<text class="tick" {where} text-anchor="middle">{text}</text>')
        axis = f'<path class="axis" d="M{_LEFT},{bottom}H{WIDTH - _RIGHT}"/>'
        name = f'<text class="axis-title" x="{_LEFT}" y="{_TOP - 3}">{escape(self.y_title)}</text>'
        return _frame(self.height, self.label, [*grid, *self._parts, axis, name if self.y_title else ""])

    def _y_ticks(self) -> list[float]:
        if not self.log_y:
            return nice_ticks(*self.y)
        low, high = math.log10(self.y[0]), math.log10(self.y[1])
        every = max(1, math.ceil((high - low) / 5))
        return [10.0**k for k in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1, every)]

    def _add(self, part: str) -> None:
        self._parts.append(part)


@dataclass(frozen=True)
class Row:
    """One line of `rows`: a value, an interval if there is one, a bound if there is one."""

    name: str
    value: float
    kind: str
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    note: str = ""


def rows(
    label: str,
    found: Sequence[Row],
    x: tuple[float, float],
    *,
    bars: bool = False,
    width: int = WIDTH,
    left: int = 210,
) -> str:
    """Draw one labelled line per row: a bar or a dot, a whisker for the interval, a tick for the bound."""
    right, line = 150 if width == WIDTH else 60, 28
    height = line * len(found) + 34
    span = width - left - right

    def px(value: float) -> float:
        return round(left + min(1.0, max(0.0, (value - x[0]) / (x[1] - x[0]))) * span, 1)

    parts = []
    for value in nice_ticks(*x, count=5 if width == WIDTH else 3):
        parts.append(f'<path class="grid" d="M{px(value)},6V{height - 26}"/>')
        where = f'x="{px(value)}" y="{height - 10}"'
        parts.append(f'<text class="tick" {where} text-anchor="middle">{number(value)}</text>')
    for i, row in enumerate(found):
        y = 6 + line * i + line / 2
        hint = _title(f"{row.name}: {row.value:.4g}")
        parts.append(
            f'<text class="row-name" x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>'
        )
        if bars:
            size = f'width="{max(1.0, px(row.value) - left):.1f}" height="14"'
            parts.append(f'<rect class="bar {row.kind}" x="{left}" y="{y - 7}" {size} rx="2">{hint}</rect>')
        if row.low is not None and row.high is not None:
            parts.append(f'<path class="whisker {row.kind}" d="M{px(row.low)},{y}H{px(row.high)}"/>')
        if not bars:
            parts.append(
                f'<circle class="dot {row.kind}" cx="{px(row.value)}" cy="{y}" r="5">{hint}</circle>'
            )
        if row.bound is not None:
            parts.append(f'<path class="mark bound" d="M{px(row.bound)},{y - 11}V{y + 11}"/>')
        if row.note:
            parts.append(f'<text class="note" x="{width - right + 12}" y="{y + 4}">{escape(row.note)}</text>')
    return _frame(height, label, parts, width)


def _clock_ticks(low: float, high: float) -> list[float]:
    step = next((s for s in (2, 5, 10, 15, 30, 60, 120, 300) if (high - low) / s <= 9), 600)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""


def _frame(height: int, label: str, parts: Sequence[str], width: int = WIDTH) -> str:
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{inner}</svg>'
