"""A run: opening it, its learners, rounds, snapshots, checkpoints, and what it announces."""
