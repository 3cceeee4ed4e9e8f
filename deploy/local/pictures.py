"""Pictures of the console's pages for the documents: taken in Chromium over the running demo platform, and kept small."""

import base64
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from deploy.local.client import Client
from deploy.local.demo import ADMIN, TENANT, log_in
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT
from deploy.local.lifecycle import base_url
from deploy.local.picture_data import furnish
from deploy.local.processes import which

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

FOLDER = ROOT / "docs" / "console"
SIZE: "ViewportSize" = {"width": 1280, "height": 800}
PHONE: "ViewportSize" = {"width": 390, "height": 800}
WAIT_MS = 30_000
TRIES_MAX = 30
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", "--hide-scrollbars"]
"""Chromium refuses to run as root without the first; the pages are our own."""
_FEWER_COLOURS = Path(__file__).with_suffix(".js")


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One picture."""

    name: str
    address: str
    """The address of the page, after `/console/`."""
    is_dark: bool = False
    is_narrow: bool = False


def pictures(client: Client) -> Iterator[Picture]:
    """List what is taken: each page of the menu, pages of one thing, forms, and a few in the dark and on a phone."""
    # The console is the api's own, and heavy to read for all other commands.
    from services.api.console.pages import PAGES

    for page in PAGES:
        if page.show is not None:
            yield Picture(name=page.key, address=_FILTERED.get(page.key, page.key))
    found = {name: _first(client, path, member) for name, (path, member) in _THINGS.items()}
    for name, address in _ONE_OF.items():
        if found[name]:
            yield Picture(name=name, address=address.format(found[name]))
    payment = _ONE_OF["payment"].format(found["payment"])
    yield Picture(name="new-payment", address="do/createPaymentIntent?back=/console/payments")
    yield Picture(name="refund", address=f"do/refundPaymentIntent?intent_id={found['payment']}&back=/console/{payment}")
    for name, address in (("overview", "overview?currency=BRL"), ("payment", payment), ("payments", "payments")):
        yield Picture(name=f"{name}-dark", address=address, is_dark=True)
        yield Picture(name=f"{name}-phone", address=address, is_narrow=True)


_FILTERED = {
    "overview": "overview?currency=BRL",
    "search": "search?q=maria",
    "consolidated": "consolidated?currency=BRL",
    "discrepancies": "discrepancies?resolved=",
}
"""Pages that show more with something chosen."""
_THINGS = {
    "payment": ("/v1/payment-intents?status=PARTIALLY_REFUNDED&pageSize=1", "data"),
    "pix": ("/v1/payment-intents?status=REQUIRES_ACTION&pageSize=1", "data"),
    "customer": ("/v1/customers?limit=1", "data"),
    "entry": ("/v1/ledger/entries?limit=1", ""),
    "proposal": ("/v1/ledger/proposals?limit=1", "data"),
    "endpoint": ("/v1/webhooks", ""),
    "run": ("/v1/reconciliation/runs?limit=1", ""),
    "discrepancy": ("/v1/reconciliation/discrepancies?limit=1", "data"),
    "import": ("/v1/reconciliation/imports?limit=1", "data"),
}
"""Things whose pages are taken, by where the first of them is found."""
_ONE_OF = {
    "payment": "payments/{}",
    "pix": "payments/{}",
    "customer": "customers/{}",
    "entry": "entries/{}",
    "proposal": "proposals/{}",
    "endpoint": "webhooks/{}",
    "run": "runs/{}",
    "discrepancy": "discrepancies/{}",
    "import": "imports/{}",
}


def _first(client: Client, path: str, member: str) -> str:
    answer: Any = msgspec.json.decode(client.get(path).expect(200).body)
    rows = answer if isinstance(answer, list) else answer.get(member or "data", [])
    return str(rows[0]["id"]) if rows else ""


def take(env: Mapping[str, str], report: Callable[[str], None], names: Sequence[str] = ()) -> int:
    """Take all pictures, or those named; return how many.

    Raises:
        LocalFailure: when there is no browser, or a page does not open.
    """
    Error, sync_playwright, chromium = _browser()  # noqa: N806 - a class
    base = base_url(env, "api")
    client = log_in(base, ADMIN, TENANT)
    furnish(client, report)
    FOLDER.mkdir(parents=True, exist_ok=True)
    count = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_OPTIONS)
        try:
            context = browser.new_context(viewport=SIZE, locale="en-US", timezone_id="UTC", reduced_motion="reduce")
            page, reducer = context.new_page(), context.new_page()
            page.set_default_timeout(WAIT_MS)
            _enter(page, base)
            for picture in pictures(client):
                if names and picture.name not in names:
                    continue
                page.set_viewport_size(PHONE if picture.is_narrow else SIZE)
                page.emulate_media(color_scheme="dark" if picture.is_dark else "light")
                _open(page, f"{base}/console/{picture.address}")
                content = _reduced(reducer, page.screenshot(animations="disabled"))
                (FOLDER / f"{picture.name}.png").write_bytes(content)
                report(f"{picture.name}.png {len(content) // 1000} kB")
                count += 1
        except Error as problem:
            raise LocalFailure(f"The browser: {problem}") from problem
        finally:
            browser.close()
    return count


def rendered(text: str, *, width: int, height: int) -> bytes:
    """Return the picture (PNG) of a page that is given as text.

    Raises:
        LocalFailure: when there is no browser.
    """
    _, sync_playwright, chromium = _browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_OPTIONS)
        try:
            context = browser.new_context(viewport={"width": width, "height": height}, locale="en-US")
            page, reducer = context.new_page(), context.new_page()
            page.set_content(text)
            return _reduced(reducer, page.screenshot(animations="disabled"))
        finally:
            browser.close()


def _browser() -> tuple[Any, Any, str]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as missing:
        raise LocalFailure("playwright is not installed: uv sync") from missing
    chromium = which("chromium")
    if not chromium:
        raise LocalFailure("Chromium is not installed: apt-get install chromium")
    return Error, sync_playwright, chromium


def _reduced(reducer: Any, picture: bytes) -> bytes:
    """Write a picture of Chromium with fewer colours, in a page of its own."""
    found = reducer.evaluate(_FEWER_COLOURS.read_text(), base64.b64encode(picture).decode())
    return png(width=found["width"], palette=bytes(found["palette"]), pixels=base64.b64decode(found["pixels"]))


def _open(page: Any, address: str) -> None:
    """Open a page; whoever has made too many requests waits.

    Raises:
        LocalFailure: when it does not open.
    """
    for _ in range(TRIES_MAX):
        answer = page.goto(address, wait_until="load")
        if page.locator("code", has_text="rate_limited").count() == 0:
            break
        page.wait_for_timeout(WAIT_MS / 10)
    if answer.status != 200:
        raise LocalFailure(f"{address} answered {answer.status}")


def _enter(page: Any, base: str) -> None:
    """Log in as the operator of the platform, who sees every page, and act for the demo tenant."""
    page.goto(f"{base}/console/login")
    page.fill("#email", ADMIN[0])
    page.fill("#password", ADMIN[1])
    page.click("button.primary")
    page.wait_for_url(f"{base}/console/overview")
    page.click("details.who summary")
    page.fill("#tenant", TENANT)
    page.click("form[action='/console/tenant'] button")
    page.locator("details.who .tenant", has_text=TENANT).wait_for()


def png(*, width: int, palette: bytes, pixels: bytes) -> bytes:
    """Write a picture of at most 256 colours (PNG, colour type 3, which needs a third of what Chromium writes).

    Args:
        width: pixels of a row.
        palette: three bytes for each colour.
        pixels: a byte for each pixel, its colour's place, row by row.
    """
    rows = [pixels[at : at + width] for at in range(0, len(pixels), width)]
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = ((b"IHDR", head), (b"PLTE", palette), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
