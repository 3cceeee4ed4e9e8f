"""`python -m payments_client.payctl`, and the `payctl` that is installed."""

import sys


def main() -> None:
    """Run the command line, or say what to install."""
    try:
        from payments_client.payctl.cli import payctl
    except ModuleNotFoundError as missing:
        if missing.name not in {"click", "rich"}:
            raise
        sys.exit("payctl needs click and rich: pip install 'payments-client[payctl]'")
    payctl(prog_name="payctl")


if __name__ == "__main__":
    main()
