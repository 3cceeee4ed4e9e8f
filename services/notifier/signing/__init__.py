"""How does a merchant know that it was us? Signing secrets, how they are kept, and the headers they yield."""

from services.notifier.signing.keyring import KeyRing
from services.notifier.signing.signatures import SIGNED_HEADERS, new_secret, signed_headers

__all__ = ["SIGNED_HEADERS", "KeyRing", "new_secret", "signed_headers"]
