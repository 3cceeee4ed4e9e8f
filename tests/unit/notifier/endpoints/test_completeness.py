"""Every field of an endpoint is registered, shown and kept, or on a list with the reason."""

from libs.common.contracts.notifier import RegisterEndpoint, WebhookEndpoint
from services.notifier.endpoints.domain import NOT_REGISTERED, Endpoint
from services.notifier.endpoints.schemas import endpoint_view
from services.notifier.schema import tables
from tests.support.fields import filled, unseen

ENDPOINT = filled(Endpoint)
NOT_SHOWN = {
    "tenant_id": "the caller's own",
    "disabled_at": "shows as the reason, and in the gap once it is switched on again",
}
COLUMNS_ONLY = {
    "secret_sealed": "ours alone",
    "secrets_retired": "ours alone",
    "secrets_retired_until": "ours alone",
    "headers_sealed": "ours alone; their names are shown",
    "deleted_at": "a deleted endpoint is not read as one",
}
REQUESTED_AS = {"endpoint_id": "id", "headers": "header_names", "has_public_key": "public_key"}
"""Members of a registration that are kept under another name."""
SHOWN_WITH = {"secret", "health", "gap"}
"""What an answer adds to an endpoint."""


def test_each_field_of_an_endpoint_is_content_or_named() -> None:
    assert unseen(ENDPOINT, lambda other: other.is_same_registration_as(ENDPOINT)) == NOT_REGISTERED.keys()


def test_registration_with_a_key_is_not_the_one_without() -> None:
    assert not ENDPOINT.is_same_registration_as(filled(Endpoint, public_key=None))


def test_each_field_of_an_endpoint_is_shown_or_named() -> None:
    assert unseen(ENDPOINT, endpoint_view) == NOT_SHOWN.keys()
    assert set(WebhookEndpoint.__struct_fields__) - SHOWN_WITH == set(Endpoint.__struct_fields__) - NOT_SHOWN.keys()


def test_each_column_of_an_endpoint_is_a_field_or_named() -> None:
    columns = {column.name for column in tables.ENDPOINTS.columns}
    assert columns - COLUMNS_ONLY.keys() == set(Endpoint.__struct_fields__)
    assert COLUMNS_ONLY.keys() <= columns


def test_each_member_of_a_registration_is_a_field_of_the_endpoint() -> None:
    members = {REQUESTED_AS.get(name, name) for name in RegisterEndpoint.__struct_fields__}
    assert members == set(Endpoint.__struct_fields__) - NOT_REGISTERED.keys() | {"public_key"}
