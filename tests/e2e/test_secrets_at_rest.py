"""What is stored and what is logged hold no secret, token, password or card number of anybody who was there."""

import asyncio
import base64
import secrets
from pathlib import Path
from uuid import uuid4

from deploy.local.native.postgres import BINARIES
from tests.support.databases import SERVICES
from tests.support.platform import ADMIN, Client, Platform
from tests.support.receiver import Receiver

CARD = "4242424242424242"
PROGRAMS = [file for pattern in BINARIES for file in Path("/").glob(f"{pattern[1:]}/pg_dump")]


async def _dump(platform: Platform) -> str:
    process = await asyncio.create_subprocess_exec(
        PROGRAMS[-1], f"--dbname={platform.database.admin_url}", stdout=asyncio.subprocess.PIPE
    )
    written, _ = await process.communicate()
    assert process.returncode == 0
    return written.decode()


def _forms(secret: str) -> set[str]:
    """How a secret may be stored: as text, as bytes, and as the bytes that a text stands for."""
    forms = {secret, secret.encode().hex()}
    if secret.startswith("whsec_"):
        forms.add(base64.b64decode(secret.removeprefix("whsec_") + "==").hex())
    return forms


async def test_dump_and_logs_hold_no_secret(
    platform: Platform, admin: Client, operator: Client, receiver: Receiver
) -> None:
    tenant_admin = await platform.login(ADMIN)
    password, wrong, forged = (secrets.token_urlsafe(24) for _ in range(3))
    stripe_key, stripe_secret = f"sk_test_{secrets.token_hex(16)}", f"whsec_{secrets.token_hex(16)}"
    email = f"{uuid4().hex}@example.com"

    webhook = await admin.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["payment.*"]})
    path = f"/v1/webhooks/{webhook.json['id']}"
    rotated = await admin.call("POST", f"{path}/rotate-secret", {"overlap_seconds": 60})
    key = await admin.call("POST", "/v1/api-keys", {"name": "k", "scopes": ["payments:read"]})
    user = await admin.call("POST", "/v1/users", {"email": email, "password": password, "roles": ["ops"]})
    assert (webhook.status, rotated.status, key.status, user.status) == (201, 200, 201, 201)
    session = await platform.login((email, password))
    # Refused or not: neither is a reason to keep what was sent.
    config = {"processor": "stripe", "currencies": ["EUR"], "secret_key": stripe_key, "webhook_secret": stripe_secret}
    await admin.call("POST", "/v1/gateway-configs", config)
    stranger = Client(platform.http, platform.base(), token=forged, tenant=admin.tenant)
    assert (await stranger.call("GET", "/v1/payment-intents")).status == 401
    refused = await Client(platform.http, platform.base()).call(
        "POST", "/v1/auth/token", {"email": email, "password": wrong}
    )
    assert refused.status == 401
    card = {"amount": "1.00", "currency": "BRL", "customer_ref": CARD, "description": CARD}
    assert (await operator.call("POST", "/v1/payment-intents", card, key=str(uuid4()))).status == 422
    by_key = Client(platform.http, platform.base(), token=key.json["secret"], tenant=admin.tenant)
    assert (await by_key.call("GET", "/v1/payment-intents")).status == 200
    intent = await session.create()
    await session.confirm(intent["id"])
    await session.settled(intent["id"])
    async with asyncio.timeout(60):
        while not any(received.type == "payment.settled" for received in receiver.received):
            await asyncio.sleep(0.05)

    known = {
        "password": password,
        "wrong password": wrong,
        "forged token": forged,
        "password of the seeds": ADMIN[1],
        "token of a password": session.token,
        "token": tenant_admin.token,
        "API key": key.json["secret"],
        "webhook secret": webhook.json["secret"],
        "rotated webhook secret": rotated.json["secret"],
        "key of Stripe": stripe_key,
        "webhook secret of Stripe": stripe_secret,
        "card number": CARD,
        "signing secret": platform.environ["JWT_SECRET"],
        "encryption key": platform.environ["ENCRYPTION_KEY"],
    }
    places = {"dump": await _dump(platform)} | {f"log of {name}": platform.log(name) for name in SERVICES}
    assert intent["id"] in places["dump"]
    assert all("service.started" in platform.log(name) for name in SERVICES)
    found = {
        (what, where)
        for what, secret in known.items()
        for where, text in places.items()
        for f in _forms(secret)
        if f in text
    }
    assert found == set()
