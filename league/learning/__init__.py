"""How learners improve: advantages, MAPPO."""
