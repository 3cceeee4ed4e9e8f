"""What the gateway refuses, and the api passes on: one class for each code."""

from libs.common.errors import CHECK_ID, Conflict, NotFound


class GatewayConfigNotFound(NotFound):
    """The tenant has no such gateway configuration."""

    code = "gateway_config_not_found"
    remedy = CHECK_ID


class GatewayConfigConflict(Conflict):
    """Another gateway configuration has this id, or this Stripe account."""

    code = "gateway_config_conflict"
    remedy = "Use another account, or delete the configuration that `detail` names."
