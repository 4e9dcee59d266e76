"""Bad signs in a learner's metrics: what they look like, what causes them, which settings to look at."""
