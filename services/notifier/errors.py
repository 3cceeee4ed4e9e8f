"""How the notifier fails where nobody outside it learns the code; what it refuses others is in its contract."""

from libs.common.errors import BrokenInvariant, PlatformError


class SecretUnreadable(BrokenInvariant):
    """A sealed secret cannot be opened: its key is not in the key ring, or it was not sealed for this endpoint."""

    code = "secret_unreadable"


class EgressBlocked(PlatformError):
    """An address that webhooks must never reach; the address is for the log alone, never for the tenant.

    Not an `OSError` on purpose: the dialler would otherwise go on to the name's next address, and one forbidden answer
    refuses the whole name.
    """

    code = "egress_blocked"

    def __init__(self, address: str) -> None:
        super().__init__("the address is not one that webhooks may reach")
        self.address = address
