"""`python -m app.embedded.up`: the whole of Quire on this machine, until told to stop."""

import sys

from app.config import Settings
from app.embedded.stack import run_stack

if __name__ == "__main__":
    sys.exit(run_stack(Settings()))
