"""Ratings, payoffs and standings: pure functions of the ledger. No torch, no I/O."""
