"""What people see: the live console and tables."""
