"""How the gateway fails, by name; the tree is drawn in `libs/common/errors.py`."""

from libs.common.errors import Conflict, Invalid, NotFound, Unavailable


class ProcessorUnavailable(Unavailable):
    """The processor takes no calls at the moment; nothing was called, so the command simply waits."""

    code = "processor_unavailable"


class AccountUnknown(Unavailable):
    """It is not known yet of which account at the processor a configuration is."""

    code = "account_unknown"


class AttemptConflict(Conflict):
    """A command repeats an operation that was requested before, with other money: somebody's bug, never carried out."""

    code = "attempt_conflict"


class Unstorable(Invalid):
    """A command contains what no text of the database can hold, such as a NUL character; never carried out."""

    code = "unstorable_command"


class KeyUnreadable(Unavailable):
    """A processor's key cannot be opened with the master keys in use; calls wait until the right one is set."""

    code = "processor_key_unreadable"


class GatewayConfigNotFound(NotFound):
    """The tenant has no such gateway configuration."""

    code = "gateway_config_not_found"


class GatewayConfigConflict(Conflict):
    """A gateway configuration of this id exists with other content, or another one of this processor account."""

    code = "gateway_config_conflict"
