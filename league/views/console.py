"""The live screen of `league run`: a listener that shows the run on a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment

from league.events import Event
from league.views.screen import body, compose, head
from league.views.watch import Watch

_REFRESHES_PER_SECOND = 8


class LiveConsole:
    """Shows a run on a terminal. A thread of its own redraws the screen; the last frame stays visible.

    Use it as a context manager around the run, and as a listener of the run. Other output appears above the screen.
    Colours follow the given console, and thus NO_COLOR. clock: seconds; only differences matter.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._watch = Watch(clock())
        self._lock = threading.Lock()
        self._drawn: tuple[int, int, int] | None = None
        self._body: list[list[Segment]] = []
        self._live = Live(self, console=console, refresh_per_second=_REFRESHES_PER_SECOND, vertical_overflow="crop")

    def __enter__(self) -> LiveConsole:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Handle an event; the next refresh shows it."""
        with self._lock:
            self._watch.see(event, self._clock())

    def render(self, width: int, height: int) -> RenderableType:
        """The screen as it is now, for a terminal of `width` cells and `height` lines."""
        with self._lock:
            return compose(self._watch, self._clock(), width, height)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Leave the last line empty: the terminal echoes ^C there, which must not wrap a drawn line.
        width, height = options.max_width, options.size.height - 1
        with self._lock:
            top, state = head(self._watch, self._clock(), width)[: max(height, 1)], (self._watch.seen, width, height)
            rest = body(self._watch, width, height - len(top)) if state != self._drawn else None
        if self._drawn is not None and self._drawn[1:] != state[1:]:
            # After a resize the last frame may have wrapped, so that its position is unknown: clear the screen.
            yield Control(ControlType.HOME, ControlType.CLEAR)
        if rest is not None:
            # Between events only the head changes, so the costly body is drawn once per event.
            self._drawn, self._body = state, console.render_lines(rest, options.update(height=None), pad=False)
        yield from top
        for line in self._body:
            yield from line
            yield Segment.line()
        yield Segment.line()
