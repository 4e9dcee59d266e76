"""The parts of a run: folder, learners, roster, ratings, checkpoints, and what a round consists of."""
