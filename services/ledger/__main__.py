"""`python -m services.ledger serve | migrate | asyncapi | redrive`."""

from libs.common.service import main
from services.ledger.app import build
from services.ledger.settings import Settings, check_settings

if __name__ == "__main__":
    main(service="ledger", settings=Settings, build=build, check=check_settings)
