"""What the edge of the api refuses, by name: headers, tokens, bodies, time. One class for each code."""

from libs.common.errors import FIX, RETRY
from libs.common.web.errors import LOG_IN, HttpProblem, Unauthorized
from services.api.http.callers import Principal


class MalformedJson(HttpProblem):
    """The body is not valid JSON in UTF-8."""

    code = "malformed_json"
    status = 400
    remedy = "Send valid JSON."


class MissingTenant(HttpProblem):
    """The header X-Tenant-Id is missing."""

    code = "missing_tenant"
    status = 400
    remedy = "Send the tenant to act for."


class InvalidTenant(HttpProblem):
    """The header X-Tenant-Id does not name a tenant."""

    code = "invalid_tenant"
    status = 400
    remedy = "Send 1 to 64 visible characters."


class IdempotencyKeyMissing(HttpProblem):
    """The header Idempotency-Key is missing."""

    code = "idempotency_key_missing"
    status = 400
    remedy = "Send a key, new for each payment."


class IdempotencyKeyInvalid(HttpProblem):
    """The Idempotency-Key cannot be used."""

    code = "idempotency_key_invalid"
    status = 400
    remedy = "Send 1 to 255 visible ASCII characters."

    def __init__(self) -> None:
        super().__init__("Idempotency-Key must be 1 to 255 visible ASCII characters")


class IdempotencyKeyRefused(HttpProblem):
    """This operation takes no Idempotency-Key."""

    code = "idempotency_key_refused"
    status = 400
    remedy = "Send the request without one; it can be repeated as it is."


class MissingToken(Unauthorized):
    """There is no bearer token."""

    code = "missing_token"
    remedy = "Send `Authorization: Bearer <token>`."

    def __init__(self) -> None:
        super().__init__("Missing bearer token", headers={"WWW-Authenticate": "Bearer"})


class TokenExpired(Unauthorized):
    """The bearer token's time is over."""

    code = "token_expired"
    remedy = LOG_IN

    def __init__(self, principal: Principal) -> None:
        super().__init__("Token expired", headers={"WWW-Authenticate": "Bearer"})
        self.principal = principal
        """Who sends it: it is one of ours."""


class ApiKeyLapsed(Unauthorized):
    """The bearer was one of ours, and is valid no more."""

    def __init__(self, principal: Principal, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})
        self.principal = principal
        """Who sends it."""


class ApiKeyExpired(ApiKeyLapsed):
    """The API key's time is over."""

    code = "api_key_expired"
    remedy = "Make another key; rotate keys before they expire."

    def __init__(self, principal: Principal) -> None:
        super().__init__(principal, "API key expired")


class ApiKeyRevoked(ApiKeyLapsed):
    """The API key is revoked."""

    code = "api_key_revoked"
    remedy = "Use another key."

    def __init__(self, principal: Principal) -> None:
        super().__init__(principal, "API key revoked")


class ApiKeyOfOtherMode(Unauthorized):
    """A test key was sent where money is real, or a live key where it is not."""

    code = "api_key_of_other_mode"
    remedy = "Send a key that was made here."

    def __init__(self, mode: str) -> None:
        super().__init__(f"only {mode} keys are accepted here", headers={"WWW-Authenticate": "Bearer"})


class InvalidCredentials(Unauthorized):
    """Login name or password is wrong."""

    code = "invalid_credentials"
    remedy = "Check both."

    def __init__(self) -> None:
        super().__init__("Invalid credentials", headers={"WWW-Authenticate": "Bearer"})


class IdempotencyInProgress(HttpProblem):
    """The first request with this key is still being answered."""

    code = "idempotency_in_progress"
    status = 409
    remedy = RETRY

    def __init__(self) -> None:
        super().__init__(
            "the first request with this Idempotency-Key is still being answered; try again",
            headers={"Retry-After": "1"},
        )


class UnknownFields(HttpProblem):
    """The body has members that this route does not read."""

    code = "unknown_fields"
    status = 422
    remedy = FIX


class CardNumberInText(HttpProblem):
    """A text has a card number, which must not be kept there."""

    code = "card_number_in_text"
    status = 422
    remedy = "Send the processor's token as `payment_method`, and no card number in any text."


class RequestTimeout(HttpProblem):
    """The request took too long; its effect, if any, is complete."""

    code = "request_timeout"
    status = 503
    remedy = RETRY


class ChaosInjected(HttpProblem):
    """A failure made on purpose; only where APP_ENV=local."""

    code = "chaos_injected"
    status = 503
    remedy = RETRY
