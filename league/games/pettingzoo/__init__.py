"""Any PettingZoo environment as a batched game, in the order in which data passes: sources, spaces, driver, vector
environment, workers, turn view, game."""
