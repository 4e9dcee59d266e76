"""`python -m league` and the command `league`."""

from league.cli import main

if __name__ == "__main__":
    main()
