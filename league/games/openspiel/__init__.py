"""OpenSpiel's games: as PettingZoo environments, and positions for its own tree search."""
