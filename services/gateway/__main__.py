"""`python -m services.gateway serve | migrate | asyncapi | redrive | resend | sandbox-table | status | stuck | move-account | resolve |
restored`."""

from libs.common.service import main
from services.gateway.app import build, move, print_sandbox_page, print_status, print_stuck, resend, resolve, restored
from services.gateway.settings import Settings, check_settings

if __name__ == "__main__":
    main(
        service="gateway",
        settings=Settings,
        build=build,
        check=check_settings,
        rebuild=resend,
        operations={"move-account": move, "resolve": resolve, "restored": restored},
        commands={"sandbox-table": print_sandbox_page, "status": print_status, "stuck": print_stuck},
    )
