"""How one webhook is sent: signed, to an address that the egress guard admits, within one deadline."""

from services.notifier.sending.domain import Answer, AttemptError
from services.notifier.sending.egress import LOCAL_NETWORKS, EgressGuard, GuardedResolver, Lookup, resolving_for
from services.notifier.sending.http import Sender
from services.notifier.sending.secrets import EndpointSecrets, Minted
from services.notifier.sending.signing import SIGNED_HEADERS, signed_headers

__all__ = [
    "LOCAL_NETWORKS",
    "SIGNED_HEADERS",
    "Answer",
    "AttemptError",
    "EgressGuard",
    "EndpointSecrets",
    "GuardedResolver",
    "Lookup",
    "Minted",
    "Sender",
    "resolving_for",
    "signed_headers",
]
