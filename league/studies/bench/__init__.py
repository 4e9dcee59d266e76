"""`league bench`: is this machine used well? Probes that are measured in turn, and the report that they give."""
