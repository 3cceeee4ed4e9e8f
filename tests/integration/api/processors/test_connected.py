"""Who may charge through accounts that are connected to the platform's, and say what the platform takes."""

import pytest

from tests.integration.api.access.test_access import problem
from tests.integration.api.conftest import Api


@pytest.mark.parametrize(
    "given",
    [
        {"connected_account": "acct_1MExampleAccount"},
        {"secret_key": "sk_test_51Mexample", "application_fee_bps": 1},
        {"secret_key": "sk_test_51Mexample", "application_fee_minor": 1},
        {"secret_key": "sk_test_51Mexample", "refund_application_fee": True},
    ],
)
async def test_only_an_operator_of_the_platform_names_accounts_and_fees(
    api: Api, tenant_id: str, given: dict[str, object]
) -> None:
    admin = api.client(tenant_id, roles=["admin"], perms=["admin:write"], plan="enterprise")
    answer = await admin.call("POST", "/v1/gateway-configs", {"processor": "stripe", **given})
    assert problem(answer)["code"] == "operator_required"
    assert answer.status == 403
