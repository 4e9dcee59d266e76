"""Actor-critic algorithms that learn from the latest rollout: MAPPO, IPPO and COMA."""
