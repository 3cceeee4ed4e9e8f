"""`payctl login`, `password`, `me`, and the keys, tenants and users."""

import sys

import click

from payments_client import Client, models
from payments_client.authentication import ApiKey
from payments_client.payctl import session
from payments_client.payctl.commands import answered, command, first, given, limited, register
from payments_client.payctl.output import json_of


@click.option(
    "--url",
    default=session.DEFAULT_URL,
    show_default=True,
    envvar="PAYCTL_URL",
    help="Where the API is; else PAYCTL_URL.",
)
@click.option("--email", prompt=True, help="As whom.")
@click.option(
    "--password", prompt=True, hide_input=True, envvar="PAYCTL_PASSWORD", help="Better: let it ask, or PAYCTL_PASSWORD."
)
@click.option("--tenant", envvar="PAYCTL_TENANT", help="For which tenant; needed by those who work for several.")
def _login(*, url: str, email: str, password: str, tenant: str | None, as_json: bool) -> None:
    """Log in, and keep the token, which ends by itself, for the commands that follow; the password is not kept."""

    def ask() -> None:
        # Sent without a token; any will do.
        with Client(url, authentication=ApiKey("none"), tenant_id=tenant) as client:
            body = models.TokenRequest(email=email, password=password, **given(tenantId=tenant))
            token = client.create_token(body)
        with Client(url, authentication=token.access_token) as client:
            own = client.get_me().tid
        # Who works for several tenants has none of their own.
        session.save(url=url, key=token.access_token, tenant=tenant or (own if own not in ("", "*") else None))
        if as_json:
            click.echo(json_of({"url": url, "expires_in": token.expires_in}))
        else:
            click.echo(f"Logged in at {url} for {token.expires_in // 60} minutes.", err=not sys.stdout.isatty())

    answered(ask, columns=(), as_json=as_json)


def _logout(*, as_json: bool) -> None:
    """Forget the token that was kept."""
    session.file().unlink(missing_ok=True)
    if as_json:
        click.echo("{}")


login = register(None, "login", _login, example="payctl login --url $URL --email $EMAIL --tenant $TENANT")
logout = register(None, "logout", _logout, example="payctl logout")


@command(None, "password", example="payctl password")
@click.option(
    "--password", prompt="Present password", hide_input=True, envvar="PAYCTL_PASSWORD", help="Better: let it ask."
)
@click.option(
    "--new-password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    envvar="PAYCTL_NEW_PASSWORD",
    help="Better: let it ask, or PAYCTL_NEW_PASSWORD.",
)
def password(client: Client, *, password: str, new_password: str) -> None:
    """Change your own password; all your tokens end, so that you log in again."""
    client.change_password(models.ChangePassword(password=password, new_password=new_password))
    session.file().unlink(missing_ok=True)


@command(None, "me", example="payctl me")
def me(client: Client) -> object:
    """Show as whom, and for which tenant, you ask, and what you may."""
    return client.get_me()


@click.group()
def keys() -> None:
    """Make, replace and revoke API keys."""


@command(keys, "create", example="payctl keys create shop --scope payments:read --scope payments:write")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="What it may; give it again for more.")
@click.option("--expires-at", help="When it ends by itself.")
def create_key(client: Client, *, name: str, scopes: tuple[str, ...], expires_at: str | None) -> object:
    """Make a key; its secret is shown this once."""
    return client.create_api_key(models.CreateApiKey(name=name, scopes=list(scopes), **given(expires_at=expires_at)))


@command(keys, "list", example="payctl keys list", columns=("id", "name", "is_active", "scopes", "last_used_at"))
@limited
def list_keys(client: Client, *, limit: int) -> object:
    """List keys, newest first."""
    return first(client.iterate_api_keys(), limit)


@command(keys, "rotate", example="payctl keys rotate $KEY --overlap-seconds 3600")
@click.argument("key")
@click.option("--overlap-seconds", type=click.IntRange(0), help="So long the old one stays valid.")
def rotate_key(client: Client, *, key: str, overlap_seconds: int | None) -> object:
    """Replace a key; the secret of the new one is shown this once."""
    return client.rotate_api_key(key, models.RotateApiKey(**given(overlap_seconds=overlap_seconds)))


@command(keys, "revoke", example="payctl keys revoke $KEY")
@click.argument("key")
def revoke_key(client: Client, *, key: str) -> None:
    """End a key at once."""
    client.revoke_api_key(key)


@click.group()
def tenants() -> None:
    """See and add tenants, as an operator."""


@command(tenants, "list", example="payctl tenants list --limit 5", columns=("id", "name", "status", "plan", "region"))
@limited
def list_tenants(client: Client, *, limit: int) -> object:
    """List tenants."""
    return client.list_tenants(limit=limit).data


@command(tenants, "put", example="payctl tenants put $NEW_TENANT --name 'The shop' --plan free --region br")
@click.argument("tenant")
@click.option("--name", required=True, help="How people call it.")
@click.option("--plan", required=True, help="What it has paid for.")
@click.option("--region", required=True, help="Where it is.")
def put_tenant(client: Client, *, tenant: str, name: str, plan: str, region: str) -> object:
    """Make a tenant known, or change it."""
    return client.put_tenant(tenant, models.PutTenant(name=name, plan=plan, region=region))


@click.group()
def users() -> None:
    """See and add users."""


@command(users, "list", example="payctl users list", columns=("id", "email", "roles", "is_operator", "disabled_at"))
@limited
def list_users(client: Client, *, limit: int) -> object:
    """List users."""
    return first(client.iterate_users(), limit)


@command(users, "create", example="payctl users create $NEW_EMAIL --role ops")
@click.argument("email")
@click.option("--role", "roles", multiple=True, required=True, help="Give it again for more.")
@click.option(
    "--password",
    prompt=True,
    hide_input=True,
    envvar="PAYCTL_USER_PASSWORD",
    help="Better: let it ask, or PAYCTL_USER_PASSWORD.",
)
def create_user(client: Client, *, email: str, roles: tuple[str, ...], password: str) -> object:
    """Add a user."""
    return client.create_user(models.CreateUser(email=email, password=password, roles=list(roles)))
