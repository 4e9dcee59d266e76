"""The configuration of a run: its sections, how it is loaded, compared and explained, and the reference."""

from league.config.load import load
from league.config.run import RunConfig

__all__ = ["RunConfig", "load"]
