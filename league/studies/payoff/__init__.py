"""`league payoff`: what every policy scores against every other, from the ledger or from new games."""
