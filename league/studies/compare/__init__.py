"""`league compare`: configs trained for equal agent-steps with several seeds, then everything against everything."""
