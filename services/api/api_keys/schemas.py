"""REST shapes of API keys: what clients send and see."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from libs.common.clock import iso
from services.api.api_keys.domain import OVERLAP_SECONDS, OVERLAP_SECONDS_MAX, ApiKey, KeyMode
from services.api.http.bodies import require_one_line

_SCOPES_MAX = 20

type _End = Annotated[
    datetime, msgspec.Meta(tz=True, description="Until when it is valid; absent: until it is revoked.")
]


class CreateApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key for a program."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128, description="Your own name of it.")]
    scopes: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=64)]],
        msgspec.Meta(
            min_length=1,
            max_length=_SCOPES_MAX,
            description="What it may do: permissions that you have yourself, but for `ledger:approve`.",
            examples=[["payments:read", "payments:write"]],
        ),
    ]
    expires_at: _End | None = None


class RotateApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a key is replaced; nothing is needed."""

    overlap_seconds: Annotated[
        int,
        msgspec.Meta(ge=0, le=OVERLAP_SECONDS_MAX, description="How long the old key stays valid beside the new one."),
    ] = OVERLAP_SECONDS
    expires_at: (
        Annotated[
            datetime,
            msgspec.Meta(tz=True, description="Until when the new key is valid; absent: until the old one was to be."),
        ]
        | None
    ) = None


class ApiKeyBody(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as clients see it: without its secret."""

    id: str
    name: str
    mode: KeyMode
    hint: Annotated[str, msgspec.Meta(description="The last four characters of the secret.")]
    scopes: tuple[str, ...]
    created_by: Annotated[str, msgspec.Meta(description="Who made it: a login name, or `key:<id>`.")]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: Annotated[str, msgspec.Meta(description="When it was used last, to the minute.")] | None
    rotated_to: Annotated[str, msgspec.Meta(description="The key that replaces it.")] | None
    responsible: Annotated[
        str, msgspec.Meta(description="The person who made it; of a key that a key made, whoever made the first one.")
    ]
    is_active: Annotated[bool, msgspec.Meta(description="Whether it is accepted.")]


class NewApiKeyBody(ApiKeyBody, frozen=True, kw_only=True):
    """A new API key, with the secret that is shown this once."""

    secret: Annotated[
        str, msgspec.Meta(description="What to send as `Authorization: Bearer`. It is never shown again.")
    ]


class ApiKeyList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of keys, newest first."""

    data: list[ApiKeyBody]
    next_cursor: str | None


def require_key(body: CreateApiKey) -> None:
    """Refuse texts of a key that are no names.

    Raises:
        Invalid: naming them.
    """
    require_one_line({"/name": body.name})


def key_body(key: ApiKey, *, at: datetime) -> ApiKeyBody:
    """Show a key as clients see it."""
    return ApiKeyBody(**_members(key, at))


def new_key_body(key: ApiKey, secret: str, *, at: datetime) -> NewApiKeyBody:
    """Show a key with its secret."""
    return NewApiKeyBody(**_members(key, at), secret=secret)


def _members(key: ApiKey, at: datetime) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "name": key.name,
        "mode": KeyMode(key.mode),
        "hint": key.hint,
        "scopes": key.scopes,
        "created_by": key.created_by,
        "created_at": iso(key.created_at),
        "expires_at": _instant(key.expires_at),
        "revoked_at": _instant(key.revoked_at),
        "last_used_at": _instant(key.last_used_at),
        "rotated_to": None if key.rotated_to is None else str(key.rotated_to),
        "responsible": key.responsible,
        "is_active": key.is_active(at),
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
