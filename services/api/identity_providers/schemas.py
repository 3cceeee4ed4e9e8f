"""REST shapes of identity providers."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
from services.api.http.bodies import require_one_line
from services.api.identity_providers.domain import IdentityProvider, callback_path


class PutIdentityProvider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The identity provider by which users log in from now on."""

    issuer: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=500,
            description=(
                "Its issuer, exactly as its tokens have it: an https address, behind which "
                "`/.well-known/openid-configuration` is."
            ),
        ),
    ]
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="What we are called there.")]
    client_secret: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=1,
                max_length=500,
                description="By what it knows us; it is never shown. Absent: by PKCE alone, as a public client.",
            ),
        ]
        | None
    ) = None


class IdentityProviderBody(msgspec.Struct, frozen=True, kw_only=True):
    """An identity provider, without its secret."""

    issuer: str
    client_id: str
    has_client_secret: bool
    redirect_path: Annotated[
        str, msgspec.Meta(description="Where users come back to: register it there, behind the host of the console.")
    ]
    login_path: Annotated[str, msgspec.Meta(description="The page of the console on which users log in by it.")]
    created_at: str
    updated_at: str


def require_provider(body: PutIdentityProvider) -> None:
    """Refuse texts of an identity provider that cannot be kept or sent.

    Raises:
        Invalid: naming them.
    """
    require_one_line({"/issuer": body.issuer, "/client_id": body.client_id, "/client_secret": body.client_secret or ""})


def provider_body(provider: IdentityProvider, *, login_path: str) -> IdentityProviderBody:
    """Show an identity provider."""
    return IdentityProviderBody(
        issuer=provider.issuer,
        client_id=provider.client_id,
        has_client_secret=provider.client_secret is not None,
        redirect_path=callback_path(provider.tenant_id),
        login_path=login_path,
        created_at=iso(provider.created_at),
        updated_at=iso(provider.updated_at),
    )
