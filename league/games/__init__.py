"""What is played: the contract of a batched game, native games, and the PettingZoo adapter."""
