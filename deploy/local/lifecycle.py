"""Bringing the whole platform up and down on this machine: servers, database, migrations, seeds, services."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from deploy.local import environment, in_force, packages, ports, records, servers, supervision, vhosts
from deploy.local.bootstrap import SERVICES, bootstrap
from deploy.local.containers import are_chosen as containers_chosen
from deploy.local.errors import LocalFailure, failure
from deploy.local.layout import PROFILES, ROOT, Layout, choose_platform, layout, platform_layout, port_offset
from deploy.local.processes import listener_of, run
from deploy.local.records import SERVERS, Servers
from deploy.local.secretkeys import keys
from deploy.local.waiting import locked, wait_until

READY_SECONDS = 60.0
"""Four Python processes starting at once on two cores take 5 s; a busy machine may need ten times that."""

UP_SECONDS = 600.0
"""How long another command that starts or stops the platform may take."""

MIGRATE_SECONDS = 300.0
SEED_SECONDS = 120.0
PROBE_SECONDS = 2.0

MIGRATIONS_AT_ONCE = 2
"""Each migration is a Python process of its own; more of them than cores gains nothing."""

Report = Callable[[str], None]


def up(
    report: Report, *, profile: str = "", restored: Callable[[Mapping[str, str]], None] | None = None
) -> dict[str, str]:
    """Bring everything up, ready to take payments, and return the services' settings. Safe to repeat.

    With the profile `four-databases` each service gets a database of its own, with `dev` all share one, with `ha` servers have
    several nodes and services two processes; without one it stays as it was. `restored` ends a restore: it is called before the
    services start, which no other call of this may do while one is not ended.

    Raises:
        LocalFailure: one sentence about what is missing, taken or did not become ready.
    """
    began = time.monotonic()
    with locked(platform_layout().run / "lock", seconds=UP_SECONDS):
        if profile:
            choose_profile(profile)
        place = platform_layout()
        if restored is None:
            require_no_restore(place)
        env = prepare(report)
        check_ports(place, env)
        migrate(report, env)
        seed(report, env)
        if restored is not None:
            restored(env)
        report("Starting the services ...")
        supervision.start(place, env, environment.settings_in(env, place.root))
        wait_ready(place, env)
    report(f"Up in {time.monotonic() - began:.1f} s.")
    return env


def restore_mark(place: Layout) -> Path:
    """Return the file that is there while a restore is not ended."""
    return place.run / "restore"


def require_no_restore(place: Layout) -> None:
    """Refuse to start on a database that was restored, and whose services do not know which time it has lost.

    Raises:
        LocalFailure: while a restore was begun and is not ended.
    """
    if restore_mark(place).exists():
        raise LocalFailure(
            "A restore was begun and did not end, so the gateway does not know which time is lost, and could charge twice. "
            "Run `just restore` again, with the same --to."
        )


def choose_profile(profile: str) -> None:
    """Keep which profile the platform runs in, for this command and later ones.

    Raises:
        LocalFailure: when a setting already names the database of a service, and the profile is one that has its own.
    """
    if profile == "ha":
        _refuse_named_databases()
    else:
        choose_databases(layout("dev"), is_split=profile == "four-databases")
    choose_platform("ha" if profile == "ha" else "dev")


def choose_databases(place: Layout, *, is_split: bool) -> None:
    """Keep whether each service has a database of its own.

    Raises:
        LocalFailure: when a setting already names the database of a service.
    """
    _refuse_named_databases()
    records.remember_databases(place, is_split=is_split)


def _refuse_named_databases() -> None:
    named = [name for service in SERVICES if os.environ.get(name := f"{service.upper()}_DATABASE_URL")]
    if named:
        raise LocalFailure(f"{', '.join(named)} names a database already; unset it, or leave --profile out.")


def prepare(report: Report, profile: str = "") -> dict[str, str]:
    """Bring up the servers with the platform's database and virtual host in them; return the services' settings."""
    in_force.check()
    place = layout(profile) if profile else platform_layout()
    install_servers(place.profile, report)
    found = servers.ensure(place.profile, report=report)
    _admit(place, found)
    return environment.full_environment(place, found, keys(place))


def _admit(place: Layout, found: Servers) -> None:
    """Make the databases and the virtual host, and in them who may come in, with the rights and passwords of the settings."""
    if not os.environ.get("API_DATABASE_URL"):
        own = environment.role_passwords(os.environ)
        asyncio.run(_make_databases(found, own, is_split=records.read(place).is_split))
    if found.rabbitmq.kind != "given":
        from deploy.local.definitions import definitions

        vhost, partners = environment.VHOST, environment.partners_vhost()
        vhosts.create(found.rabbitmq, list(dict.fromkeys((vhost, partners))))
        passwords = environment.broker_passwords(os.environ)
        vhosts.load(found.rabbitmq, definitions(vhost=vhost, partners=partners, passwords=passwords))


async def _make_databases(found: Servers, passwords: Mapping[str, str], *, is_split: bool) -> None:
    if not is_split:
        await bootstrap(found.postgres_url, environment.DATABASE, passwords=passwords)
        return
    for service in SERVICES:
        database = environment.database_of(service)
        await bootstrap(found.postgres_url, database, passwords=passwords, only=service)


def install_servers(profile: str, report: Report) -> None:
    """Install the servers' packages where private servers will be needed and are not there.

    Raises:
        LocalFailure: when we are not root and something is missing, or apt fails.
    """
    if servers.running(profile) is not None:
        return
    is_cluster = layout(profile).is_cluster
    own = [name for name in SERVERS if not servers.is_given(profile, name)]
    needed = packages.missing([*own, *(("etcd", "haproxy") if is_cluster else ())])
    if needed and (is_cluster or not containers_chosen()):
        packages.install(needed, report=report)


def down(report: Report, *, wipe: bool = False) -> None:
    """End everything of this checkout: services, supervisor, the servers of every profile; with `wipe` their data too."""
    place = platform_layout()
    if not place.local.exists():
        report("Nothing was running.")
        return
    with locked(place.run / "lock"):
        ended = ["services"] if supervision.stop(place) else []
        for profile in PROFILES:
            ended += [f"{name} ({profile})" for name in servers.stop(profile, wipe=wipe)]
    report(f"Stopped: {', '.join(ended)}." if ended else "Nothing was running.")
    if wipe:
        restore_mark(place).unlink(missing_ok=True)
        report("Data removed.")


def migrate(report: Report, env: Mapping[str, str]) -> None:
    """Bring every service's schema up to date.

    Raises:
        LocalFailure: when a migration fails, with the end of its output.
    """
    report("Migrating ...")
    with ThreadPoolExecutor(max_workers=MIGRATIONS_AT_ONCE) as pool:
        for _ in pool.map(lambda service: run_service(service, ["migrate"], env, seconds=MIGRATE_SECONDS), SERVICES):
            pass


def seed(report: Report, env: Mapping[str, str]) -> None:
    """Write the demo tenants, users, roles, policies and accounts; safe to repeat.

    Raises:
        LocalFailure: when the seeding fails, with the end of its output.
    """
    report("Seeding ...")
    run_service("api", ["seed"], env, seconds=SEED_SECONDS)


def check_ports(place: Layout, env: Mapping[str, str]) -> None:
    """Make sure that each service gets its port.

    Raises:
        LocalFailure: when a stranger has one, naming the port, the stranger and the setting.
    """
    states = supervision.states(place)
    if not any(state.is_up for state in states):
        supervision.end_strays(place)
    for state in states:
        name = f"{state.service.upper()}_HTTP_PORT"
        for port in {int(env[name]), state.process.port(env)}:
            if state.is_up or ports.is_free(port):
                continue
            by = listener_of(port) or "another program"
            raise LocalFailure(
                f"Port {port} of the {state.service} service is taken by {by}. End it, or move all ports of this checkout: "
                f"echo PORT_OFFSET={_free_offset()} >> .env, or this one alone with {name}"
            )


def _free_offset() -> int:
    """Return an offset at which all four services would find their ports free."""
    offsets = (step for step in range(100, 6_001, 100) if step != port_offset())
    default = environment.HTTP_PORTS.values()
    return next((step for step in offsets if all(ports.is_free(port + step) for port in default)), 100)


def wait_ready(place: Layout, env: Mapping[str, str], services: Sequence[str] = SERVICES) -> None:
    """Wait until every service says that it is ready.

    Raises:
        LocalFailure: when one is not in time, with its last answer and the end of its log.
    """
    deadline = time.monotonic() + READY_SECONDS * place.processes
    addresses = [(each.service, each.name, process_url(env, each)) for each in supervision.processes(place, services)]
    if place.processes > 1:
        addresses += [(service, "balancer", base_url(env, service)) for service in services]
    for service, log, base in addresses:
        _wait_one(place, service, base, log=log, seconds=max(1.0, deadline - time.monotonic()))


def _wait_one(place: Layout, service: str, base: str, *, log: str, seconds: float) -> None:
    url = f"{base}/readyz"
    if wait_until(partial(_is_ready, url), seconds=seconds, poll_seconds=0.2):
        return
    status, answer = readiness(url)
    answered = f"answers {status} {answer}" if status else "does not answer"
    sentence = f"The {service} service is not ready after {seconds:.0f} s: {url} {answered}"
    raise failure(sentence, log=place.service_logs / f"{log}.log")


def readiness(url: str) -> tuple[int, str]:
    """Return the status and the beginning of the body of a health address, status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as answer:  # noqa: S310 - our own service on loopback
            return answer.status, answer.read(300).decode(errors="replace")
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read(300).decode(errors="replace")
    except OSError:
        return 0, ""


def _is_ready(url: str) -> bool:
    return readiness(url)[0] == 200


def base_url(env: Mapping[str, str], service: str) -> str:
    """Return the address at which a service is reached from this machine."""
    host = env.get(f"{service.upper()}_HTTP_HOST") or env.get("HTTP_HOST", "127.0.0.1")
    reachable = "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host
    return f"http://{reachable}:{env[f'{service.upper()}_HTTP_PORT']}"


def process_url(env: Mapping[str, str], process: supervision.Process) -> str:
    """Return the address of one process of a service."""
    if not process.number:
        return base_url(env, process.service)
    return f"http://127.0.0.1:{process.port(env)}"


def settings_known(place: Layout) -> dict[str, str] | None:
    """Return the settings that a start would use now, or None where the servers were never started."""
    found = servers.known(place.profile)
    if found is None:
        return None
    return environment.settings_in(environment.full_environment(place, found, keys(place)), place.root)


def settings_without_servers(place: Layout) -> dict[str, str]:
    """Return the settings that need no server to be known: where the services listen, for one."""
    return settings_known(place) or {**environment.placeholder_environment(), **os.environ}


def restart(services: Sequence[str]) -> None:
    """Restart services with the settings that are in force now, changed ones included, and wait until they are ready.

    Raises:
        LocalFailure: when a setting is wrong, a name is no service, nothing was started, or a server is down.
    """
    unknown = [name for name in services if name not in SERVICES]
    if unknown:
        raise LocalFailure(f"There is no service {', '.join(unknown)}; they are {', '.join(SERVICES)}.")
    in_force.check()
    place = platform_layout()
    found = servers.known(place.profile)
    if found is None:
        raise LocalFailure("The platform was not started; start it with ./scripts/up.sh.")
    # A service must not be stopped for the sake of one that cannot start.
    require_servers()
    env = environment.full_environment(place, found, keys(place))
    # A password that has changed is changed on both sides.
    _admit(place, found)
    for process in supervision.processes(place, services):
        supervision.restart(place, process, environment.settings_in(env, place.root))
        if process.number:
            # The other process serves meanwhile, if it does: this one may be what makes it whole.
            _wait_one(place, process.service, process_url(env, process), log=process.name, seconds=READY_SECONDS)
    wait_ready(place, env, services)


def require_servers() -> None:
    """Make sure that every server answers.

    Raises:
        LocalFailure: naming each one that does not, and what to do.
    """
    profile = platform_layout().profile
    conditions = {name: servers.condition(profile, name)[1] for name in SERVERS}
    down = [f"{name} is {words}" for name, words in conditions.items() if words != servers.ANSWERS]
    if down:
        raise LocalFailure(f"{'; '.join(down)}. Start what is missing with ./scripts/up.sh.")


def settings_of_running() -> dict[str, str]:
    """Return the settings of the running platform, for commands that talk to it.

    Raises:
        LocalFailure: when the servers do not run.
    """
    place = platform_layout()
    found = servers.known(place.profile)
    if found is None:
        raise LocalFailure("The platform was not started; start it with ./scripts/up.sh.")
    require_servers()
    return {**environment.operators_environment(found), **environment.full_environment(place, found, keys(place))}


def run_with_settings(command: list[str]) -> int:
    """Run a command with the running platform's settings in its environment and return its exit code."""
    return subprocess.run(command, env=settings_of_running(), cwd=ROOT, check=False).returncode


def run_service(service: str, arguments: Sequence[str], env: Mapping[str, str], *, seconds: float) -> str:
    """Have a service carry out a command and return what it prints.

    Raises:
        LocalFailure: when it fails, with the end of its output.
    """
    done = run([sys.executable, "-m", f"services.{service}", *arguments], seconds=seconds, env=env, cwd=ROOT)
    if done.returncode:
        output = "\n".join(f"  | {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-20:])
        raise LocalFailure(
            f"`python -m services.{service} {' '.join(arguments)}` failed with code {done.returncode}:\n{output}"
        )
    return done.stdout
