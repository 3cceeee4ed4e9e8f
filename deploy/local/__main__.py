"""The command line of the machine room: `python -m deploy.local <command>`; every command has `--help`."""

import sys

from deploy.local.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
