"""The commands of the machine room and their arguments. `just` alone lists the same tasks with a sentence each."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local import environment, in_force, lifecycle, servers, supervision
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import PROFILES, ROOT, layout, platform_layout
from deploy.local.secretkeys import keys
from deploy.local.status import status, url_of
from libs.common import setting_names

LOG_LINES = 50
"""How much of each log `logs` shows before it follows."""


_SHELL = frozenset(os.environ)
"""What the shell has set, before `.env` is read."""


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code: 0 done, 1 failed with a sentence."""
    chosen = _parser().parse_args(arguments)
    try:
        environment.load_dotenv(ROOT)
        if wrong := [*setting_names.misspelled(os.environ)]:
            raise LocalFailure("\n  ".join(wrong))
        return int(chosen.run(chosen) or 0)
    except LocalFailure as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _report(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    # Abbreviations would make `--wip` of a slip of the finger remove the data.
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description="Servers and services on this machine.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help_text: str, *, profile: str = ""
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
        added.set_defaults(run=run)
        if profile:
            added.add_argument(
                "--profile", choices=PROFILES, default=profile, help="which servers (default: %(default)s)"
            )
        return added

    up = command("up", _up, "start everything: servers, migrations, seeds, services")
    up.add_argument(
        "--profile",
        choices=("dev", "four-databases", "ha"),
        help="one database for all services, or one for each, or servers of several nodes and two processes of each service; "
        "each has its own data (default: as before, at first dev)",
    )
    up.add_argument("--observe", action="store_true", help="Prometheus and Alertmanager too, which watch them")
    down = command("down", _down, "end everything that was started here")
    down.add_argument("--wipe", action="store_true", help="remove the data as well")
    command("status", _status, "say what runs, where, and whether it is ready")
    node = command(
        "node",
        _node,
        "kill, suspend, resume or start one node of the profile ha, or cut its machine off and join it again",
    )
    node.add_argument("action", metavar="ACTION", choices=("kill", "suspend", "resume", "start", "cut", "join"))
    node.add_argument("name", metavar="NODE", help="for example postgres-1, or leader for PostgreSQL's leader")
    command("demo", _demo, "start everything and make one payment go through, reported step by step")
    command("smoke", _smoke, "check the running platform from log-in to webhook")
    taken = command("console-pictures", _console_pictures, "take the pictures of the console, of the running platform")
    taken.add_argument("names", nargs="*", metavar="NAME", help="of pictures (default: all)")
    command("migrate", _migrate, "bring the schemas of the four services up to date")
    command("seed", _seed, "write the demo tenants, users and accounts")
    operated = command(
        "operate", _operate, "have a service carry out a command of an operator: dead, redrive, refused, resend"
    )
    operated.add_argument("operation", metavar="COMMAND", choices=("dead", "redrive", "refused", "resend"))
    operated.add_argument("service", metavar="SERVICE", help=", ".join(SERVICES))
    operated.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT")
    command("backup", _backup, "back the database up").add_argument(
        "--full", action="store_true", help="all of it; otherwise what has changed since the last one"
    )
    command("restore", _restore, "replace the database by a moment that was backed up").add_argument(
        "--to", metavar="TIMESTAMP", help="2026-11-22T10:00:00Z (default: the end of what was archived)"
    )
    command("stuck", _stuck, "list payments that wait too long, with the reason and what to do")
    command("restart", _restart, "restart services, all of them or those named").add_argument(
        "services", nargs="*", metavar="SERVICE", help="api, ledger, gateway or notifier"
    )
    command("logs", _logs, "follow the logs of all services, or of those named").add_argument(
        "services", nargs="*", metavar="SERVICE", help="api, ledger, gateway, notifier or supervisord"
    )
    command("docs", _docs, "write every generated file that is stale").add_argument(
        "below", nargs="?", metavar="FOLDER", default=".", help="those below this folder only"
    )
    defined = command("definitions", _definitions, "print RabbitMQ's definitions for other virtual hosts")
    defined.add_argument("vhost", metavar="VHOST", help="the services' own, for example payments")
    defined.add_argument("partners", metavar="PARTNERS", nargs="?", help="that of other teams (default: the same)")
    pair = command("make-key", _make_key, "make a key pair that signs tokens")
    pair.add_argument("file", metavar="FILE", help="where the private key goes; the public one goes to FILE.pub")
    pair.add_argument("--algorithm", choices=("ES256", "RS256"), default="ES256", help="(default: %(default)s)")
    command("check", _check, "check format, lint, types and import contracts")
    command("test", _test, "run every check and test; arguments go to pytest").add_argument(
        "arguments", nargs=argparse.REMAINDER
    )
    other_days = command("test-on-other-days", _test_on_other_days, "run unit and integration tests on other days")
    other_days.add_argument("days", nargs="*", metavar="DAY", help="those days only; all of them otherwise")
    command("run", _run, "run a command with the settings of the running platform").add_argument(
        "command", nargs=argparse.REMAINDER
    )
    env = command("env", _env, "show the settings in force, secrets masked, and where each comes from")
    env.add_argument("--profile", choices=PROFILES, help="which servers (default: those of the platform)")
    env.add_argument("--export", action="store_true", help="print them for a shell's eval instead, secrets included")
    command("url", _url, "print the address of a service in this checkout").add_argument(
        "service", nargs="?", choices=SERVICES, default="api", help="default: %(default)s"
    )
    capacity = command("capacity", _capacity, "print what a number of payments a second needs")
    capacity.add_argument("rate", metavar="RATE", type=int, help="payments a second")
    command("install-servers", _install_servers, "install the servers' packages where they are needed", profile="dev")
    command("up-servers", _up_servers, "start PostgreSQL, Redis and RabbitMQ where they do not run", profile="dev")
    down_servers = command("down-servers", _down_servers, "stop the servers of a profile", profile="dev")
    down_servers.add_argument("--wipe", action="store_true", help="remove their data as well")
    command("bootstrap", _bootstrap, "make the database, roles, schemas and virtual host", profile="dev")
    return parser


def _up(chosen: argparse.Namespace) -> int:
    env = lifecycle.up(_report, profile=chosen.profile or "")
    print(status())
    if chosen.observe:
        from deploy.local.observing import observe

        observe(_report, env)
    return 0


def _down(chosen: argparse.Namespace) -> int:
    if chosen.wipe and not _is_meant("Remove all data of this checkout?"):
        return 1
    lifecycle.down(_report, wipe=chosen.wipe)
    return 0


def _is_meant(question: str) -> bool:
    """Ask a person before data is removed; where no terminal is, the option is enough."""
    if not sys.stdin.isatty():
        return True
    try:
        answer = input(f"{question} Type yes: ").strip()
    except EOFError:
        answer = ""
    if answer != "yes":
        _report("Nothing was stopped or removed.")
    return answer == "yes"


def _status(_: argparse.Namespace) -> int:
    print(status())
    in_force.check()
    return 0


def _node(chosen: argparse.Namespace) -> int:
    from deploy.local.ha import cluster, network, nodes

    here = cluster.plan(layout("ha"))
    node = cluster.leader(here) if chosen.name == "leader" else nodes.named(chosen.name)
    actions = {"kill": nodes.kill, "suspend": nodes.suspend, "resume": nodes.resume, "start": nodes.start}
    if chosen.action == "start" and nodes.runs(here, node):
        raise LocalFailure(f"{node.name} runs already.")
    if chosen.action in actions:
        actions[chosen.action](here, node)
    else:
        (network.cut if chosen.action == "cut" else network.join)(here, node.number)
    _report(f"{node.name}: {chosen.action}.")
    return 0


def _demo(_: argparse.Namespace) -> int:
    from deploy.local.demo import demonstrate

    demonstrate(lifecycle.up(_report), print)
    return 0


def _smoke(_: argparse.Namespace) -> int:
    from deploy.local.smoke import smoke

    return 0 if smoke(lifecycle.settings_of_running(), print) else 1


def _console_pictures(chosen: argparse.Namespace) -> int:
    from deploy.local.pictures import take

    print(f"{take(lifecycle.settings_of_running(), _report, chosen.names)} pictures")
    return 0


def _migrate(_: argparse.Namespace) -> int:
    lifecycle.migrate(_report, lifecycle.prepare(_report))
    return 0


def _seed(_: argparse.Namespace) -> int:
    lifecycle.seed(_report, lifecycle.prepare(_report))
    return 0


def _stuck(_: argparse.Namespace) -> int:
    from deploy.local.stuck import stuck

    print(stuck(lifecycle.settings_of_running()), end="")
    return 0


def _backup(chosen: argparse.Namespace) -> int:
    from deploy.local import backups

    print(backups.described(backups.back_up(_report, is_full=chosen.full)))
    return 0


def _restore(chosen: argparse.Namespace) -> int:
    from deploy.local import backups

    until = backups.parse_moment(chosen.to) if chosen.to else None
    if not _is_meant("Replace the database of this checkout, and empty RabbitMQ and Redis?"):
        return 1
    done = backups.restore(_report, until=until)
    if done.aside is not None:
        _report(f"What was there before lies in {done.aside}; remove it when it is not needed.")
    print(f"Restored to {done.moment.isoformat()}. What to look at now: docs/backup.md")
    return 0


def _restart(chosen: argparse.Namespace) -> int:
    lifecycle.restart(chosen.services or SERVICES)
    print(status())
    return 0


def _logs(chosen: argparse.Namespace) -> int:
    place = platform_layout()
    folder = place.service_logs
    names = [
        name
        for given in chosen.services
        for name in ([each.name for each in supervision.processes(place, [given])] if given in SERVICES else [given])
    ]
    files = [folder / f"{name}.log" for name in names] or sorted(folder.glob("*.log"))
    absent = [file.name for file in files if not file.exists()]
    if absent or not files:
        raise LocalFailure(f"No log {', '.join(absent)} in {folder}; start the services with ./scripts/up.sh.")
    os.execvp("tail", ["tail", "-n", str(LOG_LINES), "-F", *map(str, files)])  # noqa: S606 - we become the reader


def _docs(chosen: argparse.Namespace) -> int:
    from deploy.local.generated import write

    for path in write((ROOT / chosen.below).resolve()):
        print(path.relative_to(ROOT))
    return 0


def _definitions(chosen: argparse.Namespace) -> int:
    from deploy.local.definitions import text

    print(text(vhost=chosen.vhost, partners=chosen.partners or chosen.vhost), end="")
    return 0


def _make_key(chosen: argparse.Namespace) -> int:
    from deploy.local.keypair import make_pair

    file = Path(chosen.file).absolute()
    public = make_pair(file, chosen.algorithm)
    print(f"JWT_PRIVATE_KEY_FILE={file}")
    print(f"JWT_PUBLIC_KEYS_FILE={public}")
    _report("Publish the public key first, sign with the private one five minutes later: see docs/secrets.md.")
    return 0


def _capacity(chosen: argparse.Namespace) -> int:
    from deploy.local.capacity import report

    print(report(chosen.rate), end="")
    return 0


def _check(_: argparse.Namespace) -> int:
    from deploy.local.checks import check

    failed = check(_report)
    _report(f"Failed: {', '.join(failed)}." if failed else "All checks hold.")
    return 1 if failed else 0


def _test(chosen: argparse.Namespace) -> int:
    from deploy.local.checks import test

    return test(_report, chosen.arguments)


def _test_on_other_days(chosen: argparse.Namespace) -> int:
    from deploy.local import days

    failed = days.run(_report, chosen.days)
    _report(f"Failed: {', '.join(failed)}." if failed else "The tests pass on all of these days.")
    return 1 if failed else 0


def _run(chosen: argparse.Namespace) -> int:
    if not chosen.command:
        raise LocalFailure("run what? python -m deploy.local run COMMAND [ARGUMENT ...]")
    return lifecycle.run_with_settings(chosen.command)


def _operate(chosen: argparse.Namespace) -> int:
    if chosen.service not in SERVICES:
        raise LocalFailure(f"There is no service {chosen.service}; they are {', '.join(SERVICES)}.")
    return lifecycle.run_with_settings(
        [sys.executable, "-m", f"services.{chosen.service}", chosen.operation, *chosen.arguments]
    )


def _install_servers(chosen: argparse.Namespace) -> int:
    lifecycle.install_servers(chosen.profile, _report)
    return 0


def _up_servers(chosen: argparse.Namespace) -> int:
    found = servers.ensure(chosen.profile, report=_report)
    for name, server in found.each().items():
        print(f"{name:9} {server.kind:9} {server.url}")
    return 0


def _down_servers(chosen: argparse.Namespace) -> int:
    if chosen.wipe and not _is_meant(f"Remove the data of profile {chosen.profile}?"):
        return 1
    ended = servers.stop(chosen.profile, wipe=chosen.wipe)
    print(f"Stopped: {', '.join(ended)}." if ended else f"Nothing of profile {chosen.profile} was running.")
    return 0


def _bootstrap(chosen: argparse.Namespace) -> int:
    lifecycle.prepare(_report, chosen.profile)
    return 0


def _env(chosen: argparse.Namespace) -> int:
    in_force.check()
    place = layout(chosen.profile) if chosen.profile else platform_layout()
    found = servers.known(place.profile)
    if found is None:
        raise LocalFailure(f"The servers of profile {place.profile} were not started; start them with ./scripts/up.sh.")
    if place.is_durable:
        env = environment.full_environment(place, found, keys(place))
    else:
        env = environment.service_environment(found, keys(place))
    if chosen.export:
        print(environment.exports(environment.settings_in(env, place.root)), end="")
    else:
        print(in_force.table(place, env, shell=_SHELL))
    return 0


def _url(chosen: argparse.Namespace) -> int:
    print(url_of(chosen.service))
    return 0
