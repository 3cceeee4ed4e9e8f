"""A stand-in for Stripe: the part of its API that the gateway and its reconciliation use, with its rules about money.

For tests and demonstrations, in memory, on loopback. It answers as Stripe documents (https://docs.stripe.com/api), and does
on cue what Stripe does only on its bad days: `faults.py`. What it has is held to the typed classes of Stripe's SDK and to
Stripe's published fixtures by a test. Start it with `python -m deploy.fake_stripe`.

From below: `values` (closed sets, limits), `clock`, `refusals`, `settings`, `forms`; `books` (one account in one mode),
`accounts` (modes and keys), `lists`; `shapes`, `cards`, `balance`; `payments`, `refunds`, `disputes`, `payouts`,
`webhooks`; `parameters`, `routes` and `controls` (what can be called); `faults`, `idempotency`, `answers`, `server`.
"""

from deploy.fake_stripe.faults import Fault, FaultKind
from deploy.fake_stripe.server import FakeStripe, running_fake_stripe

__all__ = ["FakeStripe", "Fault", "FaultKind", "running_fake_stripe"]
