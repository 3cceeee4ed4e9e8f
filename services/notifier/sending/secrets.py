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


class EndpointSecrets(KeyRing):
    """Mints the signing secrets of endpoints, seals them and everything else that only an endpoint's tenant may see."""

    def __init__(self, current: str, previous: Sequence[str] = ()) -> None:
        """Take the sealing keys, 32 bytes in base64 each, the current one first."""
        super().__init__(current, previous, label=b"webhook secret key id", unreadable=SecretUnreadable)

    def mint(self, *, tenant_id: str, endpoint_id: UUID, has_public_key: bool = False) -> Minted:
        """Mint the secret of one endpoint, and an ed25519 key beside it if requested."""
        return self._minted(new_secret(), tenant_id, endpoint_id, has_public_key=has_public_key)

    def rekey(self, sealed: bytes, *, tenant_id: str, endpoint_id: UUID, has_public_key: bool) -> Minted:
        """Keep a secret and mint, or forget, the ed25519 key beside it.

        Raises:
            SecretUnreadable: when the secret cannot be opened.
        """
        secret = self.unseal(sealed, tenant_id=tenant_id, owner_id=endpoint_id).split(" ")[0]
        return self._minted(secret, tenant_id, endpoint_id, has_public_key=has_public_key)

    def _minted(self, secret: str, tenant_id: str, endpoint_id: UUID, *, has_public_key: bool) -> Minted:
        signing, public_key = secret, None
        if has_public_key:
            private, public_key = new_signing_key()
            signing = f"{secret} {private}"
        sealed = self.seal(signing, tenant_id=tenant_id, owner_id=endpoint_id)
        return Minted(secret=secret, sealed=sealed, public_key=public_key)
