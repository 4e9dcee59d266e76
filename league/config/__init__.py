"""The configuration of a run: its sections, how it is loaded, compared and explained, and the reference."""
