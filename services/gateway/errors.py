"""How the gateway fails where the api does not learn the code; what it refuses others is in its contract."""

from libs.common.errors import Conflict, Invalid, Unavailable
from libs.common.web.errors import HttpProblem


class ProcessorUnavailable(Unavailable):
    """The processor takes no calls at the moment; nothing was called, so the command simply waits."""

    code = "processor_unavailable"


class AccountUnknown(Unavailable):
    """It is not known yet of which account at the processor a configuration is."""

    code = "processor_account_unknown"


class AttemptConflict(Conflict):
    """A command repeats an operation that was requested before, with other money: somebody's bug, never carried out."""

    code = "attempt_conflict"


class Unstorable(Invalid):
    """A command contains what no text of the database can hold, such as a NUL character; never carried out."""

    code = "unstorable_command"


class KeyUnreadable(Unavailable):
    """A processor's key cannot be opened with the master keys in use; calls wait until the right one is set."""

    code = "processor_key_unreadable"


class WebhookMalformed(HttpProblem):
    """A webhook is not an event of Stripe's."""

    code = "webhook_malformed"
    status = 400


class WebhookForged(HttpProblem):
    """The signature of a webhook does not match."""

    code = "webhook_forged"
    status = 400


class WebhookStale(HttpProblem):
    """The signature or the event of a webhook is too old, or of a time to come."""

    code = "webhook_stale"
    status = 400


class WebhookTooLarge(HttpProblem):
    """The body of a webhook is too large."""

    code = "webhook_too_large"
    status = 400
