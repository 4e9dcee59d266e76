"""The live screen of `league run`: a listener that keeps a terminal up to date while the run goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType

from league.events import Event
from league.views.screen import compose
from league.views.watch import Watch

_REFRESHES_PER_SECOND = 8


class LiveConsole:
    """Shows a run on a terminal, redrawn by a thread of its own; its last frame stays when it is left.

    Use it with `with`, as a listener of the run within. What others print meanwhile appears above it. Colours follow
    the console that is handed in, and so NO_COLOR. clock: seconds, of which only differences matter.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._watch = Watch(clock())
        self._lock = threading.Lock()
        self._size: tuple[int, int] | None = None
        self._live = Live(self, console=console, refresh_per_second=_REFRESHES_PER_SECOND, vertical_overflow="crop")

    def __enter__(self) -> LiveConsole:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take in an event; the screen shows it at its next refresh."""
        with self._lock:
            self._watch.see(event, self._clock())

    def render(self, width: int, height: int) -> RenderableType:
        """The screen as it is now, for a terminal of `width` cells and `height` lines."""
        with self._lock:
            return compose(self._watch, self._clock(), width, height)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        size = (options.max_width, options.size.height)
        if self._size is not None and self._size != size:
            # A terminal that was resized has wrapped the last frame anew: where it begins is unknown, so begin afresh.
            yield Control(ControlType.HOME, ControlType.CLEAR)
        self._size = size
        # The last line stays free: a frame as tall as the terminal would scroll when the cursor leaves it.
        yield self.render(options.max_width, options.size.height - 1)
