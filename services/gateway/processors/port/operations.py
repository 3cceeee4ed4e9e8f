"""What a processor can be called for."""

from enum import StrEnum


class Operation(StrEnum):
    """What the processor is asked to do."""

    AUTHORIZE = "authorize"
    """Hold the funds."""
    CAPTURE = "capture"
    """Take held funds."""
    VOID = "void"
    """Release held funds, because the merchant wants it."""
    EXPIRE = "expire"
    """Release held funds whose time is over: the same request as a void, said differently."""
    REFUND = "refund"
    """Give captured funds back."""
