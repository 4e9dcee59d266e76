"""`python -m league` and the command `league`."""

import os

# Threads that wait must not spin: beside any other busy process, OpenMP's spinning makes torch ten times slower and
# more. It is read when torch is loaded, so it is set before anything else.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from league.cli import main

if __name__ == "__main__":
    main()
