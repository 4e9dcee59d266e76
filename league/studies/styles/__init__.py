"""`league styles`: who plays like whom, and which openings a population has learned."""
