"""Who plays: networks, neural policies, scripted policies, and snapshot files."""
