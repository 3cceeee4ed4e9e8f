"""`python -m services.api serve | migrate | seed | openapi | errors | asyncapi | redrive | stuck | admin | verify | export | public-keys`."""

from libs.common.service import main
from libs.common.settings import load
from services.api.app import build, check_settings, partner_queues, print_errors, print_openapi, print_stuck, seed
from services.api.cli import administer, export, print_public_keys, verify
from services.api.settings import AuthSettings, Settings


def _read_keys() -> AuthSettings:
    return load(Settings, service="api", check=check_settings).auth


if __name__ == "__main__":
    main(
        service="api",
        settings=Settings,
        build=lambda loaded: build(loaded, read_keys=_read_keys),
        check=check_settings,
        operations={"admin": administer},
        partner_queues=partner_queues,
        commands={
            "seed": seed,
            "openapi": print_openapi,
            "errors": print_errors,
            "stuck": print_stuck,
            "verify": verify,
            "export": export,
            "public-keys": print_public_keys,
        },
    )
