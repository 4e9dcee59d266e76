"""`league probe`: policies at labelled positions."""
