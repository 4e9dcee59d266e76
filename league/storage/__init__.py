"""The run's folder: its database, files, lock and migrations."""
