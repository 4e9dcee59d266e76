"""Small games in sequence form, for exact values and best responses."""
