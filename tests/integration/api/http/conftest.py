"""Somebody who may do everything, for requests of any kind."""

import pytest

from tests.integration.api.conftest import Api
from tests.support.platform import Client

EVERY = ["payments:write", "payments:read", "ledger:read", "ledger:write", "ledger:approve", "admin:write"]


@pytest.fixture
def client(api: Api, tenant_id: str) -> Client:
    """Somebody who may do everything in a tenant of their own."""
    return api.client(tenant_id, perms=EVERY, roles=["admin"], plan="enterprise")
