"""Addresses of servers with a user and a password in them: what is one, and how a password of any characters gets in."""

import re
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit, urlunsplit

_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]/]*)(?::(\d{1,5}))?\Z")
_MASK = "****"


def is_address(text: str, schemes: tuple[str, ...]) -> bool:
    """Tell whether a text is an address of one of these schemes, without leftovers of an unescaped password.

    `amqp://me:a/b@host` reads as the host `me` with the path `/b@host`: an `@` behind the host, and anything behind a `#`,
    shows that a password was not escaped. PostgreSQL's addresses may name several hosts, or none.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    scheme = parts.scheme.partition("+")[0]
    if scheme not in schemes or "#" in text or "@" in parts.path + parts.query:
        return False
    if "://" not in text:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    is_postgres = scheme.startswith("postgres")
    if not is_postgres and (len(hosts) > 1 or not hosts[0]):
        return False
    return all(_is_host(host, may_be_empty=is_postgres) for host in hosts)


def with_credentials(url: str, *, user: str = "", password: str = "") -> str:
    """Return an address with another user or password, each of any characters; those that are empty stay as they are."""
    parts = urlsplit(url)
    known, _, host = parts.netloc.rpartition("@")
    old_user, _, old_password = known.partition(":")
    new_user = quote(user, safe="") if user else _escaped(old_user)
    new_password = quote(password, safe="") if password else _escaped(old_password)
    if not new_user and not new_password:
        return url
    return urlunsplit(parts._replace(netloc=f"{new_user}{':' if new_password else ''}{new_password}@{host}"))


def vhost_of(url: str) -> str:
    """Return the virtual host that an address of RabbitMQ names; `/` where it names none."""
    return unquote(urlsplit(url).path[1:]) or "/"


def with_vhost(url: str, vhost: str) -> str:
    """Return an address of RabbitMQ with another virtual host, of any characters."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(vhost, safe='')}"))


def escaped(url: str) -> str:
    """Return an address whose user and password every library reads alike; what is escaped already stays so."""
    return with_credentials(url)


def has_password(url: str) -> bool:
    """Tell whether an address has a password in it."""
    return ":" in urlsplit(url).netloc.rpartition("@")[0]


def masked(url: str) -> str:
    """Return an address that may be shown: without its password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _MASK
    known, _, host = parts.netloc.rpartition("@")
    if ":" not in known:
        return url
    return urlunsplit(parts._replace(netloc=f"{known.partition(':')[0]}:{_MASK}@{host}"))


def _escaped(part: str) -> str:
    return quote(unquote_to_bytes(part), safe="")


def _is_host(text: str, *, may_be_empty: bool) -> bool:
    found = _HOST.match(text)
    if found is None or (not found[1] and not may_be_empty):
        return False
    return found[2] is None or 0 < int(found[2]) < 65536
