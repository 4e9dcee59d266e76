"""All that fixes a network's architecture, as it is stored in every snapshot. Reading it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields

from league.errors import ConfigError, nearest

ACTIVATIONS = ("relu", "tanh")
CELLS = ("gru", "lstm")
WINDOWED = ("stack", "transformer")
_MEMORIES = ("none", "stack", *CELLS, "transformer")
_OPTIONAL_KEYS = ("memory", "length", "units", "groups", "normalised")
"""Keys that the first snapshots did not have: they are written only if they differ from the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """All that fixes a network's architecture; stored in every snapshot.

    kind: "mlp" or "conv". inputs: shape of one input. seats: length of the one-hot appended after the trunk.
    outputs: width of the last layer. channels: of each convolution (conv only). hidden: widths of hidden layers.
    memory: "none", "stack", "gru", "lstm" or "transformer". length: K, the current observation and how many before it
    (stack and transformer). units: width of gru, lstm and transformer. groups: which set of weights each seat uses;
    empty: one for all. normalised: whether observations are normalised.
    """

    kind: str
    inputs: tuple[int, ...]
    seats: int
    outputs: int
    hidden: tuple[int, ...]
    channels: tuple[int, ...] = ()
    activation: str = "relu"
    memory: str = "none"
    length: int = 1
    units: int = 0
    groups: tuple[int, ...] = ()
    normalised: bool = False

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values."""
        found = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in _OPTIONAL_KEYS or value != one.default:
                found[one.name] = list(value) if isinstance(value, tuple) else value
        return found

    @staticmethod
    def from_dict(data: dict[str, object]) -> NetworkSpec:
        """The inverse of `to_dict`."""
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        return NetworkSpec(**values)  # type: ignore[arg-type]


def check_architecture(spec: NetworkSpec) -> None:
    """Raises ConfigError for an architecture that there is not, or that does not suit the inputs."""
    if spec.kind not in ("mlp", "conv") or spec.activation not in ACTIVATIONS:
        raise ConfigError(f"there is no network of kind '{spec.kind}' with activation '{spec.activation}'")
    if spec.kind == "conv" and len(spec.inputs) != 3:
        raise ConfigError(
            f"network.kind 'conv' needs planes [channels, height, width]; this game shows {list(spec.inputs)}: "
            "use network.kind = 'mlp'"
        )
    if spec.memory not in _MEMORIES:
        hint = nearest(str(spec.memory), _MEMORIES)
        raise ConfigError(f"there is no memory of kind '{spec.memory}'{hint} (there are: {', '.join(_MEMORIES)})")
    if not all(isinstance(number, int) for number in (spec.length, spec.units, *spec.groups)):
        raise ConfigError("a network's length, units and groups must be whole numbers")
    if (spec.length >= 2) != (spec.memory in WINDOWED) or spec.length < 1:
        raise ConfigError(f"memory '{spec.memory}' cannot look at {spec.length} observations")
    if (spec.units >= 1) != (spec.memory in (*CELLS, "transformer")) or spec.units < 0:
        raise ConfigError(f"memory '{spec.memory}' cannot have {spec.units} units")
    if spec.groups and (len(spec.groups) != spec.seats or set(spec.groups) != set(range(len(set(spec.groups))))):
        raise ConfigError(f"groups must number those of each of {spec.seats} seats from 0 on, not {list(spec.groups)}")
