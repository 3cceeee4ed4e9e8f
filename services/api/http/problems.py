"""Every problem that the api answers with, once: the code, the OpenAPI document, `docs/errors.md` and the tests read this.

A code is stable; its sentence may change. What another service refuses travels through with its own code, and is here too.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from libs.common.web.problems import HttpProblem


class Kind(msgspec.Struct, frozen=True):
    """One kind of problem."""

    code: str
    """Stable snake_case word, the last part of the problem's `type`."""
    status: int
    """The HTTP status it always has."""
    meaning: str
    """What has happened, as a sentence."""
    remedy: str
    """What the caller can do about it, as a sentence."""
    tag: str = ""
    """The part of the API that alone answers with it; empty: any."""


_RETRY = "Retry after `Retry-After`, with the same `Idempotency-Key`."
_FIX = "Correct the request; `errors` names each violation."
_LOG_IN = "Log in again and send the new token."
_OPERATOR = "Ask an administrator of the tenant."

_KINDS = (
    Kind("malformed_json", 400, "The body is not valid JSON in UTF-8.", "Send valid JSON."),
    Kind("malformed_request", 400, "The request cannot be read as HTTP.", "Correct the request."),
    Kind(
        "duplicate_header",
        400,
        "A header is there twice of which only one can be meant.",
        "Send Authorization, X-Tenant-Id, Idempotency-Key, Host, Content-Type and Content-Length once.",
    ),
    Kind("missing_tenant", 400, "The header X-Tenant-Id is missing.", "Send the tenant to act for."),
    Kind("invalid_tenant", 400, "The header X-Tenant-Id does not name a tenant.", "Send 1 to 64 visible characters."),
    Kind("idempotency_key_missing", 400, "The header Idempotency-Key is missing.", "Send a key, new for each payment."),
    Kind(
        "idempotency_key_invalid", 400, "The Idempotency-Key cannot be used.", "Send 1 to 255 visible ASCII characters."
    ),
    Kind(
        "idempotency_key_refused",
        400,
        "This operation takes no Idempotency-Key.",
        "Send the request without one; it can be repeated as it is.",
    ),
    Kind("unsupported_currency", 400, "The currency is not accepted.", "Send an active ISO 4217 code in upper case."),
    Kind("invalid_account_type", 400, "There is no such type of account.", "Send one of the documented types."),
    Kind("missing_token", 401, "There is no bearer token.", "Send `Authorization: Bearer <token>`."),
    Kind("invalid_token", 401, "The bearer token is invalid or expired.", _LOG_IN),
    Kind("token_expired", 401, "The bearer token's time is over.", _LOG_IN),
    Kind("invalid_credentials", 401, "Login name or password is wrong.", "Check both.", "identity"),
    Kind("tenant_mismatch", 403, "The token is not of the tenant in X-Tenant-Id.", "Send the token's own tenant."),
    Kind("tenant_unknown", 403, "There is no such tenant.", _OPERATOR),
    Kind("tenant_suspended", 403, "The tenant is suspended.", _OPERATOR),
    Kind("tenant_deleted", 403, "The tenant is deleted.", _OPERATOR),
    Kind("no_tenant", 403, "The user belongs to no tenant.", _OPERATOR, "identity"),
    Kind("missing_permission", 403, "The token lacks the permission named in permissionCode.", _OPERATOR),
    Kind("no_policy", 403, "No policy admits the permission.", _OPERATOR),
    Kind("policy_deny", 403, "A policy denies the permission.", _OPERATOR),
    Kind("plan_not_allowed", 403, "The tenant's plan does not include this.", "Choose a higher plan."),
    Kind("region_not_allowed", 403, "This is not offered in the tenant's region.", _OPERATOR),
    Kind("feature_disabled", 403, "The feature is switched off for the tenant.", _OPERATOR),
    Kind("operator_required", 403, "Only an operator of the platform may do this.", _OPERATOR, "operations"),
    Kind("self_approval", 403, "Who proposes does not decide.", "Let somebody else decide.", "journal"),
    Kind("route_not_found", 404, "There is no such route.", "See the OpenAPI document."),
    Kind(
        "payment_intent_not_found",
        404,
        "The tenant has no such payment intent.",
        "Check the id and the tenant.",
        "payment intents",
    ),
    Kind(
        "webhook_endpoint_not_found",
        404,
        "The tenant has no such webhook endpoint.",
        "Check the id and the tenant.",
        "webhooks",
    ),
    Kind("feature_unknown", 404, "There is no such feature.", "See the list of features.", "operations"),
    Kind("proposal_not_found", 404, "The tenant has no such proposal.", "Check the id and the tenant.", "journal"),
    Kind("account_role_not_found", 404, "There is no such role.", "Use one of those listed.", "accounts"),
    Kind(
        "exchange_rate_not_found",
        404,
        "No recorded rate leads from one currency to the other at that instant.",
        "Record a rate of the pair, or of both with USD or EUR.",
        "exchange rates",
    ),
    Kind("conversion_not_found", 404, "The tenant has no such conversion.", "Check the id and the tenant.", "ledger"),
    Kind(
        "gateway_config_not_found",
        404,
        "The tenant has no such gateway configuration.",
        "Check the id and the tenant.",
        "gateway",
    ),
    Kind("method_not_allowed", 405, "The route does not offer this method.", "Use one of those in `Allow`."),
    Kind("idempotency_in_progress", 409, "The first request with this key is still being answered.", _RETRY),
    Kind("confirm_contended", 409, "Other requests are changing the payment intent.", "Retry.", "payment intents"),
    Kind(
        "cannot_confirm",
        409,
        "The payment intent has ended or was given back, so there is nothing to collect.",
        "Create another payment intent.",
        "payment intents",
    ),
    Kind(
        "cannot_capture",
        409,
        "No funds are held that could be captured, or another amount is captured already.",
        "Read the payment intent; only AUTHORIZED ones with `capture_method: manual` can be captured.",
        "payment intents",
    ),
    Kind(
        "cannot_void",
        409,
        "There is nothing to let go of, or the funds are being captured.",
        "Read the payment intent; refund it once it is SETTLED.",
        "payment intents",
    ),
    Kind(
        "cannot_refund",
        409,
        "The payment is not in the books yet, or nothing of it is left.",
        "Read the payment intent; only SETTLED and PARTIALLY_REFUNDED ones can be refunded.",
        "payment intents",
    ),
    Kind("account_code_taken", 409, "The chart has an account of this code.", "Choose another code.", "accounts"),
    Kind("account_id_taken", 409, "The chart has an account of this id.", "Retry.", "accounts"),
    Kind(
        "approval_required",
        409,
        "The tenant lets nobody post journal entries alone.",
        "Propose them: `POST /v1/ledger/proposals`.",
        "journal",
    ),
    Kind("proposal_decided", 409, "The proposal was decided otherwise.", "Propose the entries again.", "journal"),
    Kind("proposal_expired", 409, "Nobody decided in time.", "Propose the entries again.", "journal"),
    Kind(
        "account_role_conflict",
        409,
        "The account plays a role already that a posting rule sets against this one.",
        "Choose another account.",
        "accounts",
    ),
    Kind(
        "exchange_rate_conflict",
        409,
        "Another rate of the pair takes effect at the same instant.",
        "Correct it by one that takes effect later.",
        "exchange rates",
    ),
    Kind(
        "conversion_conflict",
        409,
        "There is a conversion of this id with other content.",
        "Use a new id for a new conversion.",
        "ledger",
    ),
    Kind(
        "too_many_webhook_endpoints",
        409,
        "The tenant has as many endpoints as it may have.",
        "Delete one that is not used.",
        "webhooks",
    ),
    Kind("webhook_replay_not_found", 404, "The endpoint has no such replay.", "Check the id.", "webhooks"),
    Kind(
        "webhook_replay_done",
        409,
        "Everything that the replay selects is scheduled.",
        "Nothing: there is no more to cancel.",
        "webhooks",
    ),
    Kind("webhook_endpoint_inactive", 409, "The webhook endpoint is switched off.", "Switch it on first.", "webhooks"),
    Kind(
        "too_many_webhook_secrets",
        409,
        "Too many earlier secrets still sign.",
        "Wait until one ends, or rotate with an overlap of 0.",
        "webhooks",
    ),
    Kind("entry_not_found", 404, "The tenant's books have no such entry.", "Check the id and the tenant.", "ledger"),
    Kind("hold_not_found", 404, "The tenant has no such hold.", "Check the id and the tenant.", "holds"),
    Kind(
        "entry_conflict",
        409,
        "An entry of this id stands in the books with other content.",
        "Use a new id for a new entry.",
        "ledger",
    ),
    Kind(
        "entry_not_reversible",
        409,
        "The entry is a reversal itself.",
        "Post what is right as a new entry.",
        "ledger",
    ),
    Kind(
        "period_closed",
        409,
        "The entry belongs into a closed period.",
        "Post it into the open period that the detail names.",
        "ledger",
    ),
    Kind("floor_crossed", 409, "An account has not that much available above its floor.", "Take less.", "ledger"),
    Kind("ceiling_crossed", 409, "An account would exceed its ceiling.", "Move less to it.", "ledger"),
    Kind("balance_overflow", 409, "An account would hold more than can be counted.", "Use another account.", "ledger"),
    Kind("hold_conflict", 409, "There is a hold of this id with other content.", "Use a new id.", "holds"),
    Kind("hold_resolved", 409, "The hold has been captured, voided or has expired.", "Place a new hold.", "holds"),
    Kind("hold_exceeded", 409, "More is to be captured than is held.", "Capture less.", "holds"),
    Kind("account_unknown", 422, "The chart has no account of this code.", "See `GET /v1/accounts`.", "ledger"),
    Kind("currency_not_taken", 422, "An account does not take the currency.", "Use one of its currencies.", "ledger"),
    Kind("entry_invalid", 422, "The entry or hold has content that no book can hold.", _FIX, "ledger"),
    Kind("period_invalid", 422, "The period cannot be closed like this.", _FIX, "periods"),
    Kind("invalid_webhook_endpoint", 422, "The endpoint cannot be like this.", _FIX, "webhooks"),
    Kind("invalid_webhook_replay", 422, "The replay cannot be made like this.", _FIX, "webhooks"),
    Kind("webhook_endpoint_conflict", 409, "There is another endpoint of this id.", "Retry.", "webhooks"),
    Kind(
        "gateway_config_conflict",
        409,
        "Another gateway configuration has this id, or this Stripe account.",
        "Use another account, or delete the configuration that `detail` names.",
        "gateway",
    ),
    Kind("request_too_slow", 408, "The request did not arrive in time.", "Send it again, faster or in smaller parts."),
    Kind("body_too_large", 413, "The body is larger than is read.", "Send less."),
    Kind("url_too_long", 414, "The URL is longer than is read.", "Send a shorter one; ids and cursors are short."),
    Kind("invalid_request", 422, "The body or a parameter is invalid.", _FIX),
    Kind("invalid_amount", 422, "The amount is not one.", _FIX, "payment intents"),
    Kind(
        "capture_exceeds_authorization",
        422,
        "The capture is more than is authorized.",
        "Send at most `authorized_amount`.",
        "payment intents",
    ),
    Kind(
        "refund_exceeds_payment",
        422,
        "The refunds would exceed what was captured and is not disputed.",
        "Send at most what is left, or no amount.",
        "payment intents",
    ),
    Kind("unknown_fields", 422, "The body has members that this route does not read.", _FIX),
    Kind(
        "card_number_in_text",
        422,
        "A text has a card number, which must not be kept there.",
        "Send the processor's token as `payment_method`, and no card number in any text.",
    ),
    Kind(
        "idempotency_key_reused",
        422,
        "The key was used with a different request.",
        "Use a new key for a new request.",
    ),
    Kind("invalid_cursor", 422, "The cursor is not of this list and its filters.", "Begin the list anew."),
    Kind("query_invalid", 422, "The query of the books is invalid.", _FIX, "ledger"),
    Kind("entry_unbalanced", 422, "The debits of an entry are not equal to its credits.", _FIX, "journal"),
    Kind("entry_currency_mixed", 422, "The lines of an entry are in several currencies.", _FIX, "journal"),
    Kind("account_invalid", 422, "An account's code, label, limits or currencies cannot be used.", _FIX, "accounts"),
    Kind("account_role_unfit", 422, "An account of this type cannot play the role.", _FIX, "accounts"),
    Kind("exchange_rate_invalid", 422, "The exchange rate cannot be recorded.", _FIX, "exchange rates"),
    Kind("conversion_invalid", 422, "The conversion cannot be made like this.", _FIX, "ledger"),
    Kind(
        "conversion_too_small",
        422,
        "An amount is worth less than the smallest unit of the other currency.",
        "Convert more at once.",
        "ledger",
    ),
    Kind(
        "conversion_too_large",
        422,
        "An amount is worth more in the other currency than an entry can hold.",
        "Convert less at once.",
        "ledger",
    ),
    Kind("rate_limited", 429, "The caller has made too many requests.", "Wait for `Retry-After` seconds."),
    Kind("headers_too_large", 431, "The headers are too large or too many.", "Send smaller or fewer ones."),
    Kind("internal_error", 500, "A bug of ours.", "Quote the correlation id to support."),
    Kind("unavailable", 503, "Something that is needed does not answer.", _RETRY),
    Kind("database_read_only", 503, "Nothing can be changed at the moment; reading works.", _RETRY),
    Kind("overloaded", 503, "Too many requests wait already.", _RETRY),
    Kind("request_timeout", 503, "The request took too long; its effect, if any, is complete.", _RETRY),
    Kind("key_set_unavailable", 503, "The identity provider's keys cannot be read.", _RETRY),
    Kind("store_unavailable", 503, "The memory of counts and chaos does not answer.", _RETRY),
    Kind("chaos_injected", 503, "A failure made on purpose; only where APP_ENV=local.", _RETRY),
)

PROBLEMS: Mapping[str, Kind] = MappingProxyType({kind.code: kind for kind in _KINDS})
"""Every kind of problem, by code, in the order of their statuses."""


def refusal(
    code: str,
    detail: str = "",
    *,
    headers: dict[str, str] | None = None,
    errors: tuple[tuple[str, str], ...] = (),
    permission: str | None = None,
) -> HttpProblem:
    """Build the refusal of a registered kind; without a `detail` it has the meaning of the kind."""
    kind = PROBLEMS[code]
    return HttpProblem(
        status=kind.status,
        code=code,
        detail=detail or kind.meaning,
        headers=headers,
        errors=errors,
        permission=permission,
    )


def reference() -> str:
    """Write `docs/errors.md`."""
    lines = [
        "# Problems",
        "",
        "Every answer that is not a success is an `application/problem+json` document (RFC 9457). `code` is stable and for",
        "programs; `detail` is a sentence for people. `type` is `/problems/<code>`, which the api explains. This page is",
        "generated from the registry that the code raises them from: `just docs`.",
        "",
        "| Status | Code | Means | What to do |",
        "|---|---|---|---|",
        *(f"| {kind.status} | `{kind.code}` | {kind.meaning} | {kind.remedy} |" for kind in PROBLEMS.values()),
    ]
    return "\n".join(lines) + "\n"
