"""What the notifier refuses, and the api passes on: one class for each code."""

from libs.common.errors import CHECK_ID, FIX, Conflict, Invalid, NotFound


class EndpointNotFound(NotFound):
    """The tenant has no such webhook endpoint."""

    code = "webhook_endpoint_not_found"
    remedy = CHECK_ID


class EndpointConflict(Conflict):
    """There is another endpoint of this id."""

    code = "webhook_endpoint_conflict"
    remedy = "Retry."


class TooManyEndpoints(Conflict):
    """The tenant has as many endpoints as it may have."""

    code = "too_many_webhook_endpoints"
    remedy = "Delete one that is not used."


class InvalidEndpoint(Invalid):
    """The endpoint cannot be like this."""

    code = "invalid_webhook_endpoint"
    remedy = FIX


class EndpointInactive(Conflict):
    """The webhook endpoint is switched off."""

    code = "webhook_endpoint_inactive"
    remedy = "Switch it on first."


class TooManySecrets(Conflict):
    """Too many earlier secrets still sign."""

    code = "too_many_webhook_secrets"
    remedy = "Wait until one ends, or rotate with an overlap of 0."


class ReplayNotFound(NotFound):
    """The endpoint has no such replay."""

    code = "webhook_replay_not_found"
    remedy = "Check the id."


class ReplayDone(Conflict):
    """Everything that the replay selects is scheduled."""

    code = "webhook_replay_done"
    remedy = "Nothing: there is no more to cancel."


class InvalidReplay(Invalid):
    """The replay cannot be made like this."""

    code = "invalid_webhook_replay"
    remedy = FIX
