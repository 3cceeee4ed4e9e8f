"""What is refused to whoever administers tenants, users, policies and API keys, by name: one class for each code."""

from libs.common.errors import CHECK_ID, RETRY, Conflict, Forbidden, NotFound, Unavailable


class ApiKeyNotFound(NotFound):
    """The tenant has no such API key."""

    code = "api_key_not_found"
    remedy = CHECK_ID

    def __init__(self) -> None:
        super().__init__("API key not found")


class ApiKeyNotActive(Conflict):
    """The API key is revoked, expired or rotated already."""

    code = "api_key_not_active"
    remedy = "Rotate the key that replaces it, or make another one."


class TooManyApiKeys(Conflict):
    """The tenant has as many active API keys as it may."""

    code = "too_many_api_keys"
    remedy = "Revoke one that is not used."

    def __init__(self) -> None:
        super().__init__("the tenant has 100 active API keys")


class ScopeExceedsCaller(Forbidden):
    """An API key or a user would be able to do more than whoever makes or changes it."""

    code = "scope_exceeds_caller"
    remedy = (
        "Name permissions that you have and no end after that of your own key, or ask an administrator of the tenant."
    )


class TenantNotFound(NotFound):
    """There is no such tenant, for an operator who reads or changes it."""

    code = "tenant_not_found"
    remedy = CHECK_ID

    def __init__(self) -> None:
        super().__init__("tenant not found")


class UserNotFound(NotFound):
    """The tenant has no such user."""

    code = "user_not_found"
    remedy = CHECK_ID

    def __init__(self) -> None:
        super().__init__("user not found")


class LoginNameTaken(Conflict):
    """Another user has this login name."""

    code = "login_name_taken"
    remedy = "Send another login name."

    def __init__(self) -> None:
        super().__init__("another user has this login name")


class WrongPassword(Forbidden):
    """The present password that was sent is not the caller's."""

    code = "wrong_password"
    remedy = "Send the password that you log in with; wrong ones count like failed logins."

    def __init__(self) -> None:
        super().__init__("the present password is wrong")


class NoOwnPassword(Forbidden):
    """The caller does not log in with a password here: an API key, or somebody whom an identity provider logs in."""

    code = "no_own_password"
    remedy = "Change it where you log in; an API key is rotated."

    def __init__(self) -> None:
        super().__init__("you do not log in with a password of this platform")


class OwnAccount(Conflict):
    """Nobody disables themselves or changes their own roles."""

    code = "own_account"
    remedy = "Have another administrator do it."

    def __init__(self) -> None:
        super().__init__("nobody disables themselves or changes their own roles")


class PresentPasswordRequired(Conflict):
    """Nobody sets their own password as an administrator, nor through an API key of theirs: it takes the present one."""

    code = "present_password_required"
    remedy = "Send the present password too, to POST /v1/auth/password."

    def __init__(self) -> None:
        super().__init__("your own password is changed by the present one: POST /v1/auth/password")


class PermissionUnknown(NotFound):
    """There is no such permission."""

    code = "permission_unknown"
    remedy = "See GET /v1/policies."

    def __init__(self) -> None:
        super().__init__("there is no such permission")


class IdentityProviderNotFound(NotFound):
    """The tenant has no identity provider."""

    code = "identity_provider_not_found"
    remedy = "Log in with your password, or have an administrator set one."

    def __init__(self) -> None:
        super().__init__("the tenant has no identity provider")


class ConsoleOff(Conflict):
    """There is no console here, and so no login by an identity provider."""

    code = "console_off"
    remedy = "Have whoever runs the platform set `CONSOLE_KEY`."

    def __init__(self) -> None:
        super().__init__("there is no console here")


class LoginNotBegun(Forbidden):
    """This login was not begun in this browser, is over already, or was begun too long ago."""

    code = "login_not_begun"
    remedy = "Log in again."


class IdentityRefused(Forbidden):
    """The identity provider has refused the login, or what it states of who has logged in is not valid."""

    code = "identity_refused"
    remedy = "Log in again; if it goes on, have an administrator look at the identity provider."


class IdentityUnknown(Forbidden):
    """Whom the identity provider has logged in is no user of the tenant, or may not log in any more."""

    code = "identity_unknown"
    remedy = "Have an administrator add you with the email that the identity provider has verified."


class IdentityProviderUnavailable(Unavailable):
    """The identity provider does not answer as it must."""

    code = "identity_provider_unavailable"
    remedy = RETRY
