"""How the notifier fails, by name."""

from libs.common.errors import BrokenInvariant, Conflict, Invalid, NotFound, PlatformError


class EndpointNotFound(NotFound):
    """The tenant has no such webhook endpoint."""

    code = "webhook_endpoint_not_found"


class EndpointConflict(Conflict):
    """The id belongs to an endpoint that was registered with something else."""

    code = "webhook_endpoint_conflict"


class TooManyEndpoints(Conflict):
    """The tenant has as many endpoints as it may have."""

    code = "too_many_webhook_endpoints"


class InvalidEndpoint(Invalid):
    """The url or the events cannot be used; `errors` says why, one sentence each."""

    code = "invalid_webhook_endpoint"


class EndpointInactive(Conflict):
    """The endpoint is switched off, so nothing can be sent to it."""

    code = "webhook_endpoint_inactive"


class TooManySecrets(Conflict):
    """So many earlier secrets still sign that no further one can be added."""

    code = "too_many_webhook_secrets"


class ReplayNotFound(NotFound):
    """The tenant has no such replay."""

    code = "webhook_replay_not_found"


class ReplayDone(Conflict):
    """Everything that the replay selects is scheduled, so there is nothing to cancel."""

    code = "webhook_replay_done"


class InvalidReplay(Invalid):
    """The selection cannot be used; `errors` says why, one sentence each."""

    code = "invalid_webhook_replay"


class ReplayKeyReused(Invalid):
    """The idempotency key belongs to a replay of something else."""

    code = "idempotency_key_reused"


class InvalidCursor(Invalid):
    """The cursor does not come from an earlier page."""

    code = "invalid_cursor"


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
