"""`league check`: is a game sound? What experienced people try by hand before they train, as findings with advice."""
