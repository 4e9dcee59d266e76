"""How learners improve: the learner's interface, on-policy and off-policy algorithms, diagnostics."""
