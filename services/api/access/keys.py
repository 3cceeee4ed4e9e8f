"""What our own tokens are signed and verified with."""

import msgspec

from libs.common.secrets import HOW_PRIVATE_KEY
from services.api.access.signing import SigningKey, UnusableKey, VerifyingKey, key_set, read_private, read_public
from services.api.settings import AuthSettings

HS256 = "HS256"
"""How tokens are signed with a shared secret."""


class OwnKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets and keys that our tokens may be signed with."""

    secrets: tuple[str, ...]
    """Shared secrets, for HS256 alone; the first one signs where there is no private key."""
    signing: SigningKey | None
    """The private key that signs, if there is one."""
    public: dict[str, VerifyingKey]
    """The public keys whose tokens are accepted, by key id."""
    document: bytes
    """These public keys as a key set."""


def own_keys(settings: AuthSettings) -> OwnKeys:
    """Read the keys that the settings name.

    Raises:
        UnusableKey: when one cannot be used.
    """
    signing = read_private(settings.jwt_private_key) if settings.jwt_private_key else None
    further = read_public(settings.jwt_public_keys) if settings.jwt_public_keys else ()
    public = {key.key_id: key for key in ((signing.public,) if signing else ()) + further}
    secrets = (settings.jwt_secret, settings.jwt_secret_previous) if settings.jwt_hs256 else ()
    return OwnKeys(
        secrets=tuple(secret for secret in secrets if secret),
        signing=signing,
        public=public,
        document=key_set(public.values()),
    )


def unusable_keys(auth: AuthSettings) -> list[str]:
    """Find the keys that cannot be used; one sentence each."""
    faults: list[str] = []
    if not (auth.jwt_hs256 or auth.jwt_private_key):
        faults.append(f"JWT_HS256=false needs JWT_PRIVATE_KEY, or no token can be signed; {HOW_PRIVATE_KEY}")
    for name, pem, read in (
        ("JWT_PRIVATE_KEY", auth.jwt_private_key, read_private),
        ("JWT_PUBLIC_KEYS", auth.jwt_public_keys, read_public),
    ):
        try:
            if pem:
                read(pem)
        except UnusableKey as fault:
            faults.append(f"{name} {fault}; {HOW_PRIVATE_KEY}")
    return faults
