"""What a processor can be called for."""

from enum import StrEnum


class Operation(StrEnum):
    """What the processor is called to do."""

    AUTHORIZE = "authorize"
    """Hold the funds."""
    CAPTURE = "capture"
    """Take held funds."""
    VOID = "void"
    """Release held funds, at the merchant's request."""
    EXPIRE = "expire"
    """Release held funds whose time is over: the same call as a void, reported differently."""
    REFUND = "refund"
    """Give captured funds back."""
    CLOSE = "close"
    """Cancel a payment that was declined, so that nobody who has its client secret pays it after all: the same call as a void,
    reported to nobody."""
