"""`python -m services.api serve | migrate | seed | openapi | errors | asyncapi | redrive | stuck`."""

from libs.common.service import main
from services.api.app import build, print_errors, print_openapi, print_stuck, seed
from services.api.settings import Settings, check_settings

if __name__ == "__main__":
    main(
        service="api",
        settings=Settings,
        build=build,
        check=check_settings,
        commands={"seed": seed, "openapi": print_openapi, "errors": print_errors, "stuck": print_stuck},
    )
