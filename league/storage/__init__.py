"""The run's folder: the database and its migrations."""
