"""`python -m services.ledger serve | migrate | asyncapi | redrive | verify`."""

from libs.common.service import main
from services.ledger.app import build, verify
from services.ledger.settings import Settings

if __name__ == "__main__":
    main(service="ledger", settings=Settings, build=build, commands={"verify": verify})
