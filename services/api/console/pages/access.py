"""Settings: who may do what: users and where they log in, roles and their limits, API keys, one's own account."""

from services.api.console.calling import Refused
from services.api.console.declared import Act, Column, Detail, Kind, Listing, Page, View
from services.api.console.showing import buttons_of
from services.api.console.visits import Visit
from services.api.identity_errors import IdentityProviderNotFound

_KEY = {"key_id": "id"}
_USER = {"user_id": "id"}
_ACTIVE = ("is_active", ("True",))

_CHANGE_USER = Act(operation="changeUser", title="Change", path=_USER)
_DISABLE = Act(
    operation="changeUser",
    title="Disable",
    path=_USER,
    fill={"is_disabled": "true"},
    when=("disabled_at", ("None",)),
    is_danger=True,
)

USERS = Page(
    key="users",
    title="Users",
    needs="listUsers",
    group="Settings",
    show=Listing(
        operation="listUsers",
        columns=(
            Column(member="email", title="Login name"),
            Column(member="roles", title="Roles", kind=Kind.LIST),
            Column(member="is_operator", title="Operator of the platform", kind=Kind.FLAG, is_minor=True),
            Column(member="created_at", title="Created", kind=Kind.TIME, is_minor=True),
            Column(member="disabled_at", title="Disabled", kind=Kind.TIME),
        ),
        acts=(Act(operation="createUser", title="New user"),),
        row_acts=(_CHANGE_USER, _DISABLE),
        empty="Nobody logs in to this tenant by password yet. Add somebody with New user.",
    ),
    letter="u",
)


async def show_identity_provider(visit: Visit) -> View:
    """Show by which identity provider users log in, or that there is none.

    Raises:
        Refused: when the API refuses to tell.
    """
    set_it = Act(operation="putIdentityProvider", title="Set the identity provider")
    delete_it = Act(operation="deleteIdentityProvider", title="Delete", is_danger=True)
    columns = (
        Column(member="issuer", title="Issuer", kind=Kind.CODE),
        Column(member="client_id", title="Client", kind=Kind.CODE),
        Column(member="has_client_secret", title="Has a secret", kind=Kind.FLAG),
        Column(member="redirect_path", title="Path to register there", kind=Kind.CODE),
        Column(member="login_path", title="Page on which users log in", kind=Kind.CODE),
        Column(member="created_at", title="Created", kind=Kind.TIME),
        Column(member="updated_at", title="Changed", kind=Kind.TIME),
    )
    try:
        found = await visit.read("getIdentityProvider")
    except Refused as fault:
        if fault.problem.get("code") != IdentityProviderNotFound.code:
            raise
        found = {}
    acts = (set_it, delete_it) if found else (set_it,)
    return View(
        template="identity_provider.html",
        values={"columns": columns, "thing": found, "buttons": await buttons_of(visit, acts, found)},
    )


IDENTITY_PROVIDER = Page(
    key="identity-provider",
    title="Identity provider",
    needs="getIdentityProvider",
    group="Settings",
    show=show_identity_provider,
)

USER_ROLES = Page(
    key="roles",
    title="Roles",
    needs="listRoles",
    group="Settings",
    show=Listing(
        operation="listRoles",
        columns=(
            Column(member="name", title="Role"),
            Column(member="description", title="Description"),
            Column(member="permissions", title="Permissions", kind=Kind.LIST),
        ),
        acts=(Act(operation="putRole", title="New role"),),
        row_acts=(Act(operation="putRole", title="Change", path={"name": "name"}),),
        empty="There is no role yet.",
    ),
)

POLICIES = Page(
    key="policies",
    title="Permissions",
    needs="listPolicies",
    group="Settings",
    show=Listing(
        operation="listPolicies",
        columns=(
            Column(member="permission", title="Permission"),
            Column(member="description", title="Description"),
            Column(member="effect", title="Effect", kind=Kind.STATE),
            Column(member="allowed_plans", title="Plans", kind=Kind.LIST),
            Column(member="allowed_regions", title="Regions", kind=Kind.LIST),
            Column(member="admits_home_region", title="Admits the home region", kind=Kind.FLAG, is_minor=True),
        ),
        row_acts=(Act(operation="putPolicy", title="Change", path={"permission": "permission"}),),
        empty="There is no permission yet.",
    ),
)

_KEY_COLUMNS = (
    Column(member="mode", title="Mode", kind=Kind.STATE),
    Column(member="hint", title="Ends with"),
    Column(member="scopes", title="Permissions", kind=Kind.LIST),
    Column(member="is_active", title="In force", kind=Kind.FLAG),
    Column(member="last_used_at", title="Last used", kind=Kind.TIME),
    Column(member="expires_at", title="Expires", kind=Kind.TIME, is_minor=True),
)
_KEY_ACTS = (
    Act(operation="rotateApiKey", title="Replace", path=_KEY, when=_ACTIVE),
    Act(operation="revokeApiKey", title="Revoke", path=_KEY, when=_ACTIVE, is_danger=True),
)

API_KEYS = Page(
    key="api-keys",
    title="API keys",
    needs="listApiKeys",
    group="Settings",
    show=Listing(
        operation="listApiKeys",
        columns=(Column(member="name", title="Name", link="/console/api-keys/{id}"), *_KEY_COLUMNS),
        acts=(Act(operation="createApiKey", title="New key"),),
        row_acts=_KEY_ACTS,
        empty="No program has a key yet. Make one with New key; it is shown once.",
    ),
    one=Detail(
        operation="getApiKey",
        parameter="key_id",
        title="name",
        fields=(
            *_KEY_COLUMNS,
            Column(member="responsible", title="Responsible"),
            Column(member="created_by", title="Made by"),
            Column(member="created_at", title="Created", kind=Kind.TIME),
            Column(member="revoked_at", title="Revoked", kind=Kind.TIME),
            Column(member="rotated_to", title="Replaced by", kind=Kind.CODE, link="/console/api-keys/{rotated_to}"),
            Column(member="id", title="ID", kind=Kind.CODE),
        ),
        acts=_KEY_ACTS,
    ),
    letter="k",
)


async def show_me(visit: Visit) -> View:
    """Show who has logged in, and what they may do.

    Raises:
        Refused: when the API refuses to tell.
    """
    me = await visit.read("getMe")
    acts = (Act(operation="changePassword", title="Change your own password"),)
    columns = (
        Column(member="sub", title="Login name"),
        Column(member="roles", title="Roles", kind=Kind.LIST),
        Column(member="tid", title="Tenant", kind=Kind.CODE),
        Column(member="plan", title="Plan"),
        Column(member="region", title="Region"),
        Column(member="perms", title="Permissions", kind=Kind.LIST),
    )
    return View(
        template="thing.html",
        values={"columns": columns, "thing": me, "buttons": await buttons_of(visit, acts, me)},
    )


ME = Page(key="me", title="Your account", needs="getMe", group="Settings", show=show_me)
