"""Diagnostics: warning signs in a learner's metrics, their usual causes and the settings to look at."""
