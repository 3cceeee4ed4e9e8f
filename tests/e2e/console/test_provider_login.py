"""A tenant's administrator sets its identity provider, and a user logs in by it, in a browser."""

from tests.e2e.console.conftest import Seats
from tests.support.browser import Seat
from tests.support.identity_provider import CLIENT, SECRET, provider_running
from tests.support.platform import DEMO_TENANT, OPERATOR


async def test_a_user_goes_to_the_provider_and_comes_back(admin_seat: Seat, seats: Seats) -> None:
    # Another site for a browser: what it keeps of the login must come along from there.
    async with provider_running("localhost") as provider:
        provider.email, provider.asks_first = OPERATOR[0], True
        await admin_seat.open("identity-provider")
        await admin_seat.shown("Set an identity provider, and they log in by it too.")
        await admin_seat.page.click("a.button:has-text('Set the identity provider')")
        await admin_seat.fill(issuer=provider.issuer, client_id=CLIENT, client_secret=SECRET)
        await admin_seat.send()
        await admin_seat.shown("/console/login/callback/")
        try:
            user = await seats()
            await user.open(f"login?tenant={DEMO_TENANT}&next=/console/customers")
            await user.page.click("#provider")
            await user.page.click("#go")
            await user.page.wait_for_url(f"{user.base}/console/customers")
            await user.open("me")
            await user.shown(OPERATOR[0])
            kept = {cookie["name"]: cookie for cookie in await user.page.context.cookies(f"{user.base}/console/login")}
            assert "console_login" not in kept and kept["console_session"]["httpOnly"]
            # The pages of the provider alone were on another host.
            user.faults[:] = [fault for fault in user.faults if provider.issuer not in fault]
        finally:
            await admin_seat.open("identity-provider")
            await admin_seat.page.click("a.button:has-text('Delete')")
            await admin_seat.send()
            await admin_seat.shown("Set an identity provider, and they log in by it too.")
