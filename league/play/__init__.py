"""Policies at games: the table, rollouts, matches, trajectories."""
