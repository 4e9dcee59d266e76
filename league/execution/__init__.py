"""Execution of a round's jobs: training and rated matches."""
