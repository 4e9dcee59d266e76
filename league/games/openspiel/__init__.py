"""OpenSpiel's games: positions for search, and whole games for exact traversal."""
