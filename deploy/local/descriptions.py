"""What modules print about themselves, many of them in one process: most of the time of each would be its imports.

    python -m deploy.local.descriptions "services.api openapi" "services.ledger asyncapi"

prints a JSON object of what each printed.
"""

import io
import json
import runpy
import sys
from contextlib import redirect_stdout


def printed(command: str) -> str:
    """Run a module with arguments as `python -m` would, and return what it prints.

    Raises:
        SystemExit: when it ends with an error.
    """
    sys.argv = command.split()
    out = io.StringIO()
    with redirect_stdout(out):
        try:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=False)
        except SystemExit as end:
            if end.code:
                raise
    return out.getvalue()


if __name__ == "__main__":
    json.dump({command: printed(command) for command in sys.argv[1:]}, sys.stdout)
