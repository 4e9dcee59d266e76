"""What is asked of a league from outside: match two policies, export one, show one."""
