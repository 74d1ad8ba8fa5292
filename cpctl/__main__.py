"""`python -m cpctl`."""

import sys

from cpctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
