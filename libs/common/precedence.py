"""Who goes first where something is short: what was begun is finished before anything new is begun."""

from contextvars import ContextVar
from enum import IntEnum


class Precedence(IntEnum):
    """How far along the work of the current task is; the lower one goes first."""

    ACCEPTED = 0
    """Nobody can be made to try again: consumers, relays, workers; and the health of a process."""
    BEGUN = 1
    """A request that takes a payment further."""
    NEW = 2
    """Any other request."""


precedence: ContextVar[Precedence] = ContextVar("precedence", default=Precedence.ACCEPTED)
"""The precedence of the current task."""
