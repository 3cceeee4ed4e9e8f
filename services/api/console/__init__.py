"""The console at `/console`: pages in a browser, for operators and accountants."""

from services.api.console.calling import Inside
from services.api.console.console import Console
from services.api.console.entrance import Entrance
from services.api.console.live import Changes
from services.api.console.operations import Operations
from services.api.console.provider_login import Attempts, Logins, ProviderEntrance
from services.api.console.routes import console_routes
from services.api.console.sessions import Ended, Sessions

__all__ = [
    "Attempts",
    "Changes",
    "Console",
    "Ended",
    "Entrance",
    "Inside",
    "Logins",
    "Operations",
    "ProviderEntrance",
    "Sessions",
    "console_routes",
]
