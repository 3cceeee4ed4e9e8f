"""How the ledger is wired: the only file that knows every other room."""

from libs.common.clock import Clock, SystemClock
from libs.common.db import Database
from libs.common.messaging import Bus
from libs.common.service import Service
from services.ledger import consumers
from services.ledger.commands import Commands, RoleCommands
from services.ledger.queries import Queries
from services.ledger.settings import Settings


def build(settings: Settings, clock: Clock | None = None) -> Service:
    """Wire the ledger; nothing connects before the service is served."""
    clock = clock or SystemClock()
    database = Database(settings.database, schema="ledger", application_name="ledger")
    bus = Bus(service="ledger", settings=settings.broker, database=database, clock=clock)
    hearing = consumers.Consumers(
        Commands(database, clock=clock), RoleCommands(database, clock=clock), Queries(database)
    )
    consumers.register(bus, hearing)
    return Service(
        name="ledger",
        place=settings.place,
        http=settings.http,
        database=database,
        bus=bus,
        clock=clock,
    )
