"""The console's style sheet and script, one file each: ours, and htmx from its installed package."""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

import msgspec

from libs.common.errors import PlatformError

_OURS = Path(__file__).parent / "static"
_HTMX = "htmx-2.min.js"
_DIGITS = 12


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


def _named(stem: str, suffix: str, media_type: str, content: bytes) -> Asset:
    return Asset(f"{stem}.{hashlib.sha256(content).hexdigest()[:_DIGITS]}.{suffix}", media_type, content)


def _htmx_folder() -> Path:
    # Found without importing it: the wheel is a Django app, and Django is not installed.
    spec = importlib.util.find_spec("django_htmx")
    if spec is None or not spec.submodule_search_locations:
        raise PlatformError("htmx, which the console's pages need, is not installed")
    return Path(spec.submodule_search_locations[0]) / "static" / "django_htmx"
