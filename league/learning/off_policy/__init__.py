"""Value-based algorithms that learn from a replay buffer: QMIX and VDN."""
