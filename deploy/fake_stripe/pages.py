"""The page of the issuer on which a customer proves who they are, or fails to: two buttons, and the way back to the merchant."""

from collections.abc import Awaitable, Callable
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from deploy.fake_stripe import payments, setups
from deploy.fake_stripe.accounts import Accounts
from deploy.fake_stripe.books import Object
from deploy.fake_stripe.clock import Clock
from deploy.fake_stripe.refusals import Refusal

PAGE = "/redirect/authenticate/{id}"
"""The path of the page; `next_action` of a payment intent or a setup intent has it in full."""
_HTML = """<!doctype html><title>3-D Secure</title><h1>Confirm {what}</h1>
<form method="post"><button name="outcome" value="success">Complete</button>
<button name="outcome" value="failure">Fail</button></form>"""
_OUTCOMES = frozenset({"success", "failure"})


def customer_page(accounts: Accounts, clock: Clock) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Serve the page: GET shows it, POST with `outcome` is what the customer does."""

    async def serve(request: web.Request) -> web.StreamResponse:
        clock.run_due()
        books = accounts.whose_payment(request.match_info["id"])
        name = request.match_info["id"]
        intent = None if books is None else books.payment_intents.get(name) or books.setup_intents[name]
        if books is None or intent is None or intent["status"] != "requires_action":
            return _html("<p>There is nothing to confirm.</p>", status=404)
        if request.query.get(f"{intent['object']}_client_secret") != intent["client_secret"]:
            return _html("<p>This address is not whole.</p>", status=403)
        if request.method == "GET":
            return _html(_HTML.format(what=escape(_what(intent))))
        outcome = str((await request.post()).get("outcome", ""))
        if outcome not in _OUTCOMES:
            return _html("<p>Complete it, or fail.</p>", status=400)
        try:
            prove = setups.prove if intent["object"] == "setup_intent" else payments.prove
            prove(books, intent, is_proven=outcome == "success")
        except Refusal:
            # Proven, and declined all the same: the customer goes back to the merchant.
            outcome = "failure"
        return _back(intent, is_done=outcome == "success")

    return serve


def _what(intent: Object) -> str:
    if intent["object"] == "setup_intent":
        return "that your card is saved"
    return f"your payment of {intent['amount']} {intent['currency'].upper()}"


def _back(intent: Object, *, is_done: bool) -> web.StreamResponse:
    if not intent["_return_url"]:
        return _html("<p>You can close this page.</p>")
    query = urlencode(
        {
            intent["object"]: intent["id"],
            f"{intent['object']}_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if is_done else "failed",
        }
    )
    separator = "&" if "?" in intent["_return_url"] else "?"
    return web.Response(status=303, headers={"Location": f"{intent['_return_url']}{separator}{query}"})


def _html(body: str, *, status: int = 200) -> web.Response:
    return web.Response(text=body, status=status, content_type="text/html")
