"""What signs the webhooks of an endpoint, and how it is kept."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.common.sealing import KeyRing
from services.notifier.errors import SecretUnreadable
from services.notifier.sending.signing import new_secret, new_signing_key


class Minted(msgspec.Struct, frozen=True, kw_only=True):
    """What signs an endpoint's webhooks."""

    secret: str
    """The `whsec_` secret, to be shown once."""
    sealed: bytes
    """All that signs, as it is kept."""
    public_key: str | None = None
    """The `whpk_` key that verifies `v1a` signatures; None when nothing is signed that way."""


class EndpointSecrets:
    """Mints the signing secrets of endpoints, seals them and everything else that only an endpoint's tenant may see."""

    def __init__(self, current: str, previous: Sequence[str] = ()) -> None:
        """Take the sealing keys, 32 bytes in base64 each, the current one first."""
        self._keys = KeyRing(current, previous, label=b"webhook secret key id", unreadable=SecretUnreadable)

    def mint(self, *, tenant_id: str, endpoint_id: UUID, has_public_key: bool = False) -> Minted:
        """Mint the secret of one endpoint, and an ed25519 key beside it if asked."""
        return self._minted(new_secret(), tenant_id, endpoint_id, has_public_key=has_public_key)

    def rekey(self, sealed: bytes, *, tenant_id: str, endpoint_id: UUID, has_public_key: bool) -> Minted:
        """Keep a secret and mint, or forget, the ed25519 key beside it.

        Raises:
            SecretUnreadable: when the secret cannot be opened.
        """
        secret = self.unseal(sealed, tenant_id=tenant_id, endpoint_id=endpoint_id).split(" ")[0]
        return self._minted(secret, tenant_id, endpoint_id, has_public_key=has_public_key)

    def _minted(self, secret: str, tenant_id: str, endpoint_id: UUID, *, has_public_key: bool) -> Minted:
        signing, public_key = secret, None
        if has_public_key:
            private, public_key = new_signing_key()
            signing = f"{secret} {private}"
        sealed = self.seal(signing, tenant_id=tenant_id, endpoint_id=endpoint_id)
        return Minted(secret=secret, sealed=sealed, public_key=public_key)

    def seal(self, secret: str, *, tenant_id: str, endpoint_id: UUID) -> bytes:
        """Encrypt a text that belongs to one endpoint with the current key."""
        return self._keys.seal(secret, owner=_owner(tenant_id, endpoint_id))

    def unseal(self, sealed: bytes, *, tenant_id: str, endpoint_id: UUID) -> str:
        """Decrypt a text of one endpoint.

        Raises:
            SecretUnreadable: when the key is not in the ring, or the text was sealed for another endpoint.
        """
        return self._keys.unseal(sealed, owner=_owner(tenant_id, endpoint_id))

    def reseal(self, sealed: bytes, *, tenant_id: str, endpoint_id: UUID) -> bytes:
        """Encrypt with the current key what an earlier one sealed; what the current one sealed comes back as it is.

        Raises:
            SecretUnreadable: when it cannot be opened.
        """
        return self._keys.reseal(sealed, owner=_owner(tenant_id, endpoint_id))

    @property
    def current_id(self) -> bytes:
        """The id of the current key, eight bytes: bytes 2 to 9 of whatever it sealed."""
        return self._keys.current_id

    def is_current(self, sealed: bytes) -> bool:
        """Whether a text is sealed with the current key."""
        return self._keys.is_current(sealed)


def _owner(tenant_id: str, endpoint_id: UUID) -> bytes:
    return endpoint_id.bytes + tenant_id.encode()
