"""`league check`: is a game sound? It tries what an experienced person would try by hand before training."""
