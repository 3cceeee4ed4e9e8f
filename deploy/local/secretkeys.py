"""The keys of a local installation: made once per checkout, readable by their owner only, removed by `down --wipe`."""

import base64
import os
import secrets

import msgspec

from deploy.local.layout import Layout


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What the services sign and encrypt with."""

    jwt_secret: str
    """HS256 key of access tokens, 64 hex digits."""
    encryption_key: str
    """Key under which webhook secrets are kept, base64 of 32 bytes."""


def keys(place: Layout) -> Keys:
    """Return the keys of a profile, made at the first call."""
    try:
        return msgspec.json.decode(place.secrets.read_bytes(), type=Keys)
    except (OSError, msgspec.DecodeError):
        pass
    fresh = Keys(
        jwt_secret=secrets.token_hex(32),
        encryption_key=base64.b64encode(secrets.token_bytes(32)).decode(),
    )
    place.secrets.parent.mkdir(parents=True, exist_ok=True)
    place.secrets.unlink(missing_ok=True)
    descriptor = os.open(place.secrets, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(fresh), indent=2) + b"\n")
    return fresh
