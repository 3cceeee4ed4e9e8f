"""A stand-in for Stripe: the part of its API that the gateway uses, with its idempotency keys, fees, payouts and webhooks.

For tests and demonstrations, in memory, on loopback. It answers as Stripe documents (https://docs.stripe.com/api), and does
on cue what Stripe does only on its bad days: `faults.py`. Everything about money is in `payments.py` and `balance.py`, so
that what it believes can be compared with what we believe. Start it with `python -m deploy.fake_stripe`.
"""

from deploy.fake_stripe.faults import Fault, FaultKind
from deploy.fake_stripe.server import FakeStripe, running_fake_stripe

__all__ = ["FakeStripe", "Fault", "FaultKind", "running_fake_stripe"]
