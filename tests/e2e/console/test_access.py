"""Who may do what, in the console: API keys, users and roles of a tenant that is made there too."""

from uuid import uuid4

from tests.e2e.bookkeeping import new_tenant
from tests.support.browser import Seat


async def test_a_tenant_gets_its_key_role_and_user_and_loses_them(admin_seat: Seat) -> None:
    tenant, name, admin = new_tenant(), f"role{uuid4().hex[:8]}", admin_seat
    await admin.open("do/putTenant?back=/console/tenants")
    await admin.page.fill("#path-tenant_id", tenant)
    await admin.fill(name="Trial & <b>Sons</b>", plan="enterprise", region="region-a")
    await admin.send()
    await admin.shown("Done: Make a tenant known, or change it.")
    await admin.act_for(tenant)

    await admin.open("api-keys")
    await admin.page.click("a.button:has-text('New key')")
    await admin.fill(name="Shop", scopes="payments:read")
    await admin.send()
    await admin.shown("Keep what is secret in this answer now")
    await admin.page.click("a.button:has-text('Go on')")
    await admin.page.click("a.button:has-text('Revoke')")
    await admin.send()
    await admin.shown("Done: Revoke an API key.")
    assert await admin.page.locator("a.button", has_text="Revoke").count() == 0

    await admin.open("do/putRole?back=/console/roles")
    await admin.page.fill("#path-name", name)
    await admin.fill(description="Reads", permissions="payments:read")
    await admin.send()
    row = admin.page.locator("tr", has_text=name)
    await row.locator("a.button", has_text="Change").click()
    await admin.fill(permissions="payments:read\nledger:read")
    await admin.send()
    await row.get_by_text("ledger:read").wait_for()

    await admin.open("do/createUser?back=/console/users")
    await admin.fill(email=f"{name}@example.com", password="long-enough-1234", roles=name)
    await admin.send()
    await row.locator("a.button", has_text="Disable").click()
    await admin.send()
    await admin.shown("Done: ")
    assert await row.locator("a.button", has_text="Disable").count() == 0
