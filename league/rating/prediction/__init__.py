"""A model of the whole payoff: from a ledger to the score of every pair, and how well it predicts held-out results."""
