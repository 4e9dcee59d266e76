"""The application, and the options that several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

app = App(
    name="league",
    help="Train game-playing policies by self-play, and measure how strong they are.\n\n"
    "`league docs` lists the pages of documentation; `league docs tutorial` is the one to begin with.",
    help_format="plaintext",
    version_flags=["--version"],
)

RunOption = Annotated[
    str | None, Parameter(("-r", "--run"), help="A folder, or a name under runs/; default: the newest.")
]
GameOption = Annotated[
    str | None, Parameter("--game", help="What is played, where neither the policies nor a run say it.")
]
JsonFlag = Annotated[bool, Parameter("--json", negative=(), help="Print JSON for programs.")]
SetOption = Annotated[
    tuple[str, ...],
    Parameter("--set", help="KEY=VALUE: a setting of the config; repeatable.", consume_multiple=False, negative=()),
]


def _check_seed(kind: object, value: int | None) -> None:
    if value is not None and not 0 <= value < 2**63:
        raise ValueError("Must be a whole number from 0 to 2**63 - 1.")


Seed = Annotated[int, Parameter("--seed", validator=_check_seed)]
