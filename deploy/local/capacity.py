"""What a number of payments a second needs: CPU, rows, WAL, disk, messages, processes and connections, from measured costs.

`docs/scaling.md` says where the model ends. `tests/integration/test_costs.py` holds the rows and messages of a payment to their
budget, and a test holds this model to that.
"""

import math

import msgspec

from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT

FILE = ROOT / "docs" / "scaling.md"
BEGIN = "<!-- Written by `just docs` from deploy/local/capacity.py -->\n"
END = "<!-- end of what is written -->\n"
SHOWN = (1_000, 10_000)
"""Payments a second in `docs/scaling.md`."""
RATE_MAX = 1_000_000

USED = 0.6
"""The part of a core that is planned with: above it waiting grows faster than work."""
PROCESSES_MIN = 2
"""Of each service: one goes on while the other is replaced."""
CONNECTIONS = 25
"""To PostgreSQL for each process at most: the pool of DATABASE_POOL_SIZE (20), and a few of workers."""
CELL = 1_000
"""Payments a second that one installation is planned for; more tenants go to another."""
DAY_SECONDS = 86_400


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one payment costs a service and its part of PostgreSQL, from create to SETTLED with one webhook."""

    cpu_ms: float
    """CPU of the service's process."""
    database_cpu_ms: float
    """CPU of PostgreSQL for it."""
    rows: int
    """Rows inserted, updated and deleted, whether the payment is alone or in a pack."""
    bytes_kept: int
    """Growth of its tables and indexes, in bytes."""
    bytes_for_ever: int
    """Of that, what no retention removes unless a setting says so: payments, timelines, audit log, journal."""


COSTS = {
    "api": Cost(cpu_ms=4.47, database_cpu_ms=1.33, rows=37, bytes_kept=8_745, bytes_for_ever=2_805),
    "ledger": Cost(cpu_ms=0.74, database_cpu_ms=0.36, rows=10, bytes_kept=2_089, bytes_for_ever=1_085),
    "gateway": Cost(cpu_ms=1.63, database_cpu_ms=0.67, rows=12, bytes_kept=2_970, bytes_for_ever=0),
    "notifier": Cost(cpu_ms=1.36, database_cpu_ms=0.72, rows=9, bytes_kept=1_720, bytes_for_ever=0),
}
"""CPU by `just bench` of 2026-11-30, 64 clients, about 120 payments a second on 2 virtual cores of an AMD EPYC server with a Python that
was built without optimisation: a slow machine, on which everything ran at once. Bytes as tables and indexes grew by 400 payments after
400 others, vacuumed, without the attempt at the webhook."""
RABBITMQ_CPU_MS = 1.51
REDIS_CPU_MS = 0.03
WAL_BYTES = 37_274
"""Without whole pages, which a checkpoint makes PostgreSQL write again: with short `checkpoint_timeout` it is twice that."""
COMMITS = 1.72
"""They become fewer the more payments are decided together."""
PUBLIC_EVENTS = 4
"""AMQP messages of their own for each payment."""
PACKS = 0.33
"""AMQP messages that its nine other events and commands took; 0.09 where every pack of a hundred is full."""
MESSAGE_BYTES = 4_699


def report(rate: int) -> str:
    """Return as a text what `rate` payments a second need.

    Raises:
        LocalFailure: when the rate is not between 1 and 1,000,000.
    """
    if not 1 <= rate <= RATE_MAX:
        raise LocalFailure(f"{rate} is not a rate that can be planned: 1 to {RATE_MAX:,} payments a second.")
    lines = [
        f"{rate:,} payments a second, {rate * DAY_SECONDS / 1e6:,.1f} million a day",
        "",
        f"{'':24}{'CPU ms each':>12}{'cores busy':>12}{'cores':>8}{'processes':>11}{'connections':>13}",
    ]
    for service in SERVICES:
        cost = COSTS[service].cpu_ms
        number = processes(cost, rate)
        lines.append(f"{_cpu(service, cost, rate)}{number:>11,}{number * CONNECTIONS:>13,}")
    servers = {f"PostgreSQL for {service}": COSTS[service].database_cpu_ms for service in SERVICES}
    servers |= {"RabbitMQ": RABBITMQ_CPU_MS, "Redis": REDIS_CPU_MS}
    lines += [_cpu(name, cost, rate) for name, cost in servers.items()]
    every = sum(cost.cpu_ms for cost in COSTS.values()) + sum(servers.values())
    number = sum(processes(COSTS[service].cpu_ms, rate) for service in SERVICES)
    lines.append(f"{_cpu('together', every, rate)}{number:>11,}{number * CONNECTIONS:>13,}")
    lines += ["", f"{'':24}{'rows/s':>12}{'tables a day':>16}{'of it for ever':>16}"]
    for service in SERVICES:
        found = COSTS[service]
        lines.append(_disk(service, found.rows, found.bytes_kept, found.bytes_for_ever, rate))
    costs = COSTS.values()
    rows, kept = sum(cost.rows for cost in costs), sum(cost.bytes_kept for cost in costs)
    lines.append(_disk("together", rows, kept, sum(cost.bytes_for_ever for cost in costs), rate))
    lines += [
        "",
        f"WAL            {size(WAL_BYTES * rate)}/s, {size(WAL_BYTES * rate * DAY_SECONDS)} a day; {COMMITS * rate:,.0f} commits/s",
        f"AMQP messages  {PUBLIC_EVENTS * rate:,}/s to other teams, {PACKS * rate:,.0f}/s in packs, {size(MESSAGE_BYTES * rate)}/s",
        f"cells          {math.ceil(rate / CELL):,} of {CELL:,} payments a second",
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def processes(cpu_ms: float, rate: int) -> int:
    """How many processes of a service: one uses one core, of which a part stays free."""
    return max(PROCESSES_MIN, _cores(cpu_ms, rate))


def size(count: float) -> str:
    """Return a number of bytes for people, by powers of ten."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"


def written(text: str) -> str:
    """Return the page's text with what this module prints made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    blocks = "\n".join(f"```text\n{report(rate)}```\n" for rate in SHOWN)
    return f"{before}{BEGIN}\n{blocks}\n{END}{after}"


def _cores(cpu_ms: float, rate: int) -> int:
    return math.ceil(round(cpu_ms * rate / 1_000 / USED, 6))


def _cpu(name: str, cpu_ms: float, rate: int) -> str:
    return f"{name:24}{cpu_ms:>12.2f}{cpu_ms * rate / 1_000:>12,.1f}{_cores(cpu_ms, rate):>8,}"


def _disk(name: str, rows: int, kept: int, for_ever: int, rate: int) -> str:
    a_day = rate * DAY_SECONDS
    return f"{name:24}{rows * rate:>12,}{size(kept * a_day):>16}{size(for_ever * a_day):>16}"
