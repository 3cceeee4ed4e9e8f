"""`python -m services.ledger serve | migrate | chart-of-accounts | asyncapi | redrive | resend | verify | stuck | export | public-keys`."""

from libs.common.service import main
from services.ledger.app import (
    build,
    check_settings,
    export,
    print_chart_of_accounts,
    print_public_keys,
    print_stuck,
    resend,
    verify,
)
from services.ledger.settings import Settings

if __name__ == "__main__":
    main(
        service="ledger",
        settings=Settings,
        build=build,
        check=check_settings,
        rebuild=resend,
        commands={
            "chart-of-accounts": print_chart_of_accounts,
            "verify": verify,
            "stuck": print_stuck,
            "export": export,
            "public-keys": print_public_keys,
        },
    )
