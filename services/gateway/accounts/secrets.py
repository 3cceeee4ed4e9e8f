"""The master keys that processors' keys are sealed with."""

from collections.abc import Sequence

from libs.common import sealing
from services.gateway.errors import KeyUnreadable


class KeyRing(sealing.KeyRing):
    """Seals the secrets of configurations of processors."""

    def __init__(self, current: str, previous: Sequence[str] = ()) -> None:
        """Take master keys of 32 bytes in base64, the current one first."""
        super().__init__(current, previous, label=b"gateway key id", unreadable=KeyUnreadable)
