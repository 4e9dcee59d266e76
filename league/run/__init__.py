"""The parts of a run: folder, roster and the names of policies in it, checkpoints, set-up, what is rated next."""
