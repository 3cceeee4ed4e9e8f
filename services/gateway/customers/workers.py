"""What runs on a clock for customers: processors are called until they have forgotten what they shall forget."""

from libs.common.service import Worker
from services.gateway.customers.commands import Saving

_FORGET_EVERY_SECONDS = 10.0
"""How soon after its deletion a customer is forgotten; nothing is charged meanwhile."""


def customer_workers(saving: Saving) -> list[Worker]:
    """List what is done about customers on our own clock."""
    return [Worker(name="forget customers", every_seconds=_FORGET_EVERY_SECONDS, run=saving.forget_due)]
