"""`league rate`: rated games on request, for guests and until intervals are small enough."""
