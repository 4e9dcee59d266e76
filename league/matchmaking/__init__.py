"""Who trains against whom: pure functions of a LeagueView. No torch, no I/O."""
