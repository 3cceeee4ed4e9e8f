"""The console's style sheet and script, one file each: ours, and htmx from its installed package."""

import hashlib
import importlib.util
import re
from functools import cache
from pathlib import Path

import msgspec

from libs.common.errors import PlatformError

_OURS = Path(__file__).parent / "static"
_HTMX = "htmx-2.min.js"
_DIGITS = 12
_NAMED = re.compile(rf"console\.[0-9a-f]{{{_DIGITS}}}\.(css|js)")


class Asset(msgspec.Struct, frozen=True):
    """A file that browsers keep for ever, since its name changes with it."""

    name: str
    media_type: str
    content: bytes


@cache
def assets() -> dict[str, Asset]:
    """Return the style sheet (`css`) and the script (`js`), under names with a digest of what is in them."""
    styles = (_OURS / "console.css").read_bytes()
    scripts = [(_htmx_folder() / _HTMX).read_bytes(), (_OURS / "console.js").read_bytes()]
    return {
        "css": _named("console", "css", "text/css", styles),
        "js": _named("console", "js", "text/javascript", b"\n;\n".join(scripts)),
    }


def asset_named(name: str) -> tuple[Asset, bool] | None:
    """Return the asset of a name, and whether it is what the name's digest says; None where it names none.

    While processes are restarted one after the other, one receives the requests for the files of another one's page:
    what it has itself is better than a page without a style, as long as no browser keeps it by that name.
    """
    named = _NAMED.fullmatch(name)
    if named is None:
        return None
    found = assets()[named[1]]
    return found, found.name == name


def _named(stem: str, suffix: str, media_type: str, content: bytes) -> Asset:
    return Asset(f"{stem}.{hashlib.sha256(content).hexdigest()[:_DIGITS]}.{suffix}", media_type, content)


def _htmx_folder() -> Path:
    # Found without importing it: the wheel is a Django app, and Django is not installed.
    spec = importlib.util.find_spec("django_htmx")
    if spec is None or not spec.submodule_search_locations:
        raise PlatformError("htmx, which the console's pages need, is not installed")
    return Path(spec.submodule_search_locations[0]) / "static" / "django_htmx"
