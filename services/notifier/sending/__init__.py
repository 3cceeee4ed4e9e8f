"""How one webhook is sent: signed, to an address that the egress guard admits, within one deadline."""

from services.notifier.sending.domain import Answer, AttemptError
from services.notifier.sending.http import Sender
from services.notifier.sending.secrets import EndpointSecrets, Minted
from services.notifier.sending.signing import SIGNED_HEADERS, signed_headers

__all__ = [
    "SIGNED_HEADERS",
    "Answer",
    "AttemptError",
    "EndpointSecrets",
    "Minted",
    "Sender",
    "signed_headers",
]
