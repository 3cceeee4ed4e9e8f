"""Logins, tokens and feature flags, as clients write and see them."""

from typing import Annotated

import msgspec

from services.api.http.callers import Feature

_NAME_LENGTH_MAX = 320


_PASSWORD_LENGTH_MAX = 1024
_NEW_PASSWORD_LENGTH_MIN = 12
"""Characters of a password that somebody chooses; those of seeded users may be shorter."""

type Password = Annotated[
    str,
    msgspec.Meta(
        min_length=_NEW_PASSWORD_LENGTH_MIN,
        max_length=_PASSWORD_LENGTH_MAX,
        description="At least 12 characters.",
        examples=["a-long-password-of-one-person"],
    ),
]


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login name and its password."""

    email: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=_NAME_LENGTH_MAX, description="The login name.", examples=["ops@demo"]),
    ]
    password: Annotated[str, msgspec.Meta(max_length=_PASSWORD_LENGTH_MAX, examples=["ops123"])]
    tenant_id: (
        Annotated[str, msgspec.Meta(max_length=64, description="For a global admin: through whose plan to look.")]
        | None
    ) = msgspec.field(default=None, name="tenantId")


class ChangePassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The caller's password, and the one that replaces it."""

    password: Annotated[
        str, msgspec.Meta(max_length=_PASSWORD_LENGTH_MAX, description="The present one.", examples=["ops123"])
    ]
    new_password: Password


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a word
    expires_in: Annotated[int, msgspec.Meta(description="Seconds until it expires.")]


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """What the token says about its bearer."""

    sub: str
    tid: str
    roles: tuple[str, ...]
    perms: list[str]
    plan: str
    region: str
    jti: str


class FeatureFlag(msgspec.Struct, frozen=True, kw_only=True):
    """One feature as it is for the tenant."""

    name: Feature
    description: str
    is_enabled: bool
    source: Annotated[
        str,
        msgspec.Meta(
            description="Who decided: `tenant`, a setting of its own; `global`, one for all; `default`, nobody yet.",
            extra_json_schema={"enum": ["default", "global", "tenant"]},
        ),
    ]


class SetFeatureFlag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Switch a feature on or off."""

    is_enabled: Annotated[bool, msgspec.Meta(description="Whether it may be used.")]
