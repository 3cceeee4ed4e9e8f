"""How the gateway fails, by name; the tree is drawn in `libs/common/errors.py`."""

from libs.common.errors import Conflict, Invalid, Unavailable


class ProcessorUnavailable(Unavailable):
    """The processor takes no calls at the moment; nothing was asked, so the command simply waits."""

    code = "processor_unavailable"


class AttemptConflict(Conflict):
    """A command repeats an operation that was asked for before, with other money: somebody's bug, never carried out."""

    code = "attempt_conflict"


class Unstorable(Invalid):
    """A command contains what no text of the database can hold, such as a NUL character; never carried out."""

    code = "unstorable_command"
