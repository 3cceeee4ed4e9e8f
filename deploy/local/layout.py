"""Where things lie under `.local/`: one home per profile, one set of services, and the sizes and ports they start with."""

import hashlib
import os
from pathlib import Path
from typing import Annotated

import msgspec

from deploy.local.errors import LocalFailure
from libs.common.setting_values import between, convert

ROOT = Path(__file__).resolve().parents[2]
"""The checkout that this package lies in."""

PROFILES = ("dev", "test", "outages", "shifted", "ha", "chaos")
"""`dev` serves `up` and the demo and keeps its data; `test` serves the test suite and forgets it when stopped; `outages`
serves those tests that stop and kill servers, beside the others; `shifted` the tests on other days, see `days.py`; `chaos` the
fault harness."""

PLATFORM_PROFILES = ("dev", "ha")
"""Those in which `up` runs the services; one at a time, since they listen at the same ports."""

SOCKET_PATH_MAX = 100
"""Unix socket paths end at 108 bytes on Linux, 104 on macOS; supervisord appends a process id while it binds."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of one profile in one checkout."""

    root: Path
    profile: str

    @property
    def local(self) -> Path:
        """Everything that the machine room writes, git-ignored."""
        return self.root / ".local"

    @property
    def home(self) -> Path:
        """The profile's own folder: server data, server logs, the record of what runs."""
        return self.local / self.profile

    @property
    def record(self) -> Path:
        """The file that names the running servers, their addresses and their process ids."""
        return self.home / "servers.json"

    @property
    def secrets(self) -> Path:
        """The signing and encryption keys made for this checkout, readable by their owner only."""
        return self.home / "secrets.json"

    @property
    def logs(self) -> Path:
        """The servers' logs."""
        return self.home / "log"

    @property
    def run(self) -> Path:
        """The supervisor's configuration and the services' process ids."""
        return self.local / "run"

    @property
    def service_logs(self) -> Path:
        """The services' logs."""
        return self.local / "log"

    @property
    def processes(self) -> int:
        """How many processes each service has."""
        return 2 if self.is_cluster else 1

    @property
    def key(self) -> str:
        """A short stable name of this checkout and profile, for what must live outside of it."""
        return hashlib.sha256(f"{self.root}:{self.profile}".encode()).hexdigest()[:10]

    @property
    def is_durable(self) -> bool:
        """Whether data written must survive a crash and a restart."""
        return self.profile in PLATFORM_PROFILES

    @property
    def is_cluster(self) -> bool:
        """Whether its servers have several nodes, and its services several processes."""
        return self.profile == "ha"

    def preferred_port(self, server: str) -> int:
        """Return the port that `server` tries first: the setting, else the profile's default.

        Raises:
            LocalFailure: when the setting is not a port number.
        """
        name = port_setting(self.profile, server)
        value = os.environ.get(name) or str(DEFAULT_PORTS[self.profile][server] + port_offset())
        if not value.isdigit() or not 0 < int(value) < 65536:
            raise LocalFailure(f"{name} is {value!r}, which is not a port number (1 to 65535).")
        return int(value)

    def socket(self, name: str) -> Path:
        """Return a unix socket path that is short enough, under `.local/run` where possible."""
        path = self.run / name
        if len(str(path)) <= SOCKET_PATH_MAX:
            return path
        return Path("/tmp") / f"payments-{self.key}-{name}"  # noqa: S108 - keyed by the checkout; the folder is too deep


PORT_OFFSET = Annotated[int, between(0, 6_000)]
"""By how much all ports of a checkout are moved, so that a second one runs beside the first."""


def port_offset() -> int:
    """Return the setting PORT_OFFSET.

    Raises:
        LocalFailure: when it is not one.
    """
    text = os.environ.get("PORT_OFFSET", "").strip()
    try:
        return int(convert(text, PORT_OFFSET)) if text else 0
    except ValueError as must_be:
        raise LocalFailure(f"PORT_OFFSET must be {must_be}, not {text!r}") from None


DEFAULT_PORTS = {
    "dev": {"postgres": 55432, "redis": 56379, "rabbitmq": 55672},
    "ha": {"postgres": 29432, "redis": 29379, "rabbitmq": 29672},
    "test": {"postgres": 30432, "redis": 30379, "rabbitmq": 30672},
    "outages": {"postgres": 31432, "redis": 31379, "rabbitmq": 31672},
    "shifted": {"postgres": 32432, "redis": 32379, "rabbitmq": 32672},
    "chaos": {"postgres": 19432, "redis": 19379, "rabbitmq": 19672},
}
"""Ports of the private servers. RabbitMQ takes two more, for its distribution and its name server, next to its own; those of
`ha` are the first of about thirty each.

Those of the tests lie below what a system gives to outgoing connections, of which tests make many: a server that was stopped
would find its port taken by one of them, or by a client that tries to reach it and is connected to itself.
"""


def port_setting(profile: str, server: str) -> str:
    """Return the name of the environment variable that moves a server's port."""
    prefix = "" if profile == "dev" else f"{profile.upper()}_"
    return f"{prefix}{server.upper()}_PORT"


def platform_layout(root: Path = ROOT) -> Layout:
    """Return the layout of the profile that `up` was last given: `dev` at first."""
    try:
        profile = (root / ".local" / "profile").read_text().strip()
    except OSError:
        profile = ""
    return layout(profile if profile in PLATFORM_PROFILES else "dev", root)


def choose_platform(profile: str, root: Path = ROOT) -> None:
    """Keep the profile that later commands go by."""
    file = root / ".local" / "profile"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(profile + "\n")


def layout(profile: str, root: Path = ROOT) -> Layout:
    """Return the layout of a known profile.

    Raises:
        LocalFailure: when the profile is unknown.
    """
    if profile not in PROFILES:
        raise LocalFailure(f"There is no profile {profile!r}; choose one of: {', '.join(PROFILES)}.")
    return Layout(root=root.resolve(), profile=profile)
