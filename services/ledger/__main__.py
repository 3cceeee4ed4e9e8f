"""`python -m services.ledger serve | migrate | verify | chart-of-accounts | asyncapi | redrive`."""

from libs.common.service import main
from services.ledger.app import build, print_chart_of_accounts, verify
from services.ledger.settings import Settings

if __name__ == "__main__":
    main(
        service="ledger",
        settings=Settings,
        build=build,
        commands={"verify": verify, "chart-of-accounts": print_chart_of_accounts},
    )
