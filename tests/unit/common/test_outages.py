"""The closed list: every error of the drivers has a class, and the class decides what becomes of the work."""

import asyncio
import errno
import ssl
from collections.abc import Iterator

import aio_pika
import aio_pika.pool
import aiohttp
import aiormq.exceptions
import asyncpg
import faststream.exceptions
import faststream.rabbit
import pamqp.exceptions
import pytest
import redis.asyncio
import redis.exceptions

from libs.common.errors import BrokenInvariant, Conflict, TooEarly, Unavailable
from libs.common.observability import metrics
from libs.common.outages import LIBRARIES, FaultClass, cause_of, classify, is_contention, is_outage, listed

_NOT_USED = (
    "aio_pika.patterns",
    "aiohttp._websocket",
    "aiohttp.compression_utils",
    "aiohttp.payload",
    "aiohttp.streams",
    "aiohttp.test_utils",
    "aiohttp.web",
    "aiohttp.pytest_plugin",
    "asyncpg.cluster",
    "asyncpg._testbase",
    "faststream._internal",
    "faststream.asgi",
    "redis.asyncio.multidb",
    "redis.asyncio.sentinel",
    "redis.auth",
    "redis.event",
    "redis.http",
    "redis.multidb",
    "redis.sentinel",
)
"""Parts of the libraries that no service uses, or whose errors never leave the library."""


def _driver_errors() -> Iterator[type[BaseException]]:
    waiting: list[type[BaseException]] = [BaseException]
    seen = set()
    while waiting:
        for kind in waiting.pop().__subclasses__():
            if kind in seen:
                continue
            seen.add(kind)
            waiting.append(kind)
            inside = kind.__module__.partition(".")[0] in LIBRARIES
            if inside and not kind.__module__.startswith(_NOT_USED) and not kind.__name__.startswith("_"):
                yield kind


def _made(kind: type[BaseException], **fields: object) -> BaseException:
    fault = kind.__new__(kind, "made by a test")
    fault.args = ("made by a test",)
    for name, value in fields.items():
        setattr(fault, name, value)
    return fault


def test_every_error_of_the_drivers_is_on_the_list() -> None:
    kinds = sorted(_driver_errors(), key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
    assert len(kinds) > 300
    warnings = asyncpg.PostgresLogMessage
    unlisted = [
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in kinds
        if not issubclass(kind, warnings) and listed(_made(kind)) is None
    ]
    assert unlisted == []


@pytest.mark.parametrize(
    ("kind", "fault_class"),
    [
        (asyncpg.ConnectionDoesNotExistError, FaultClass.OUTAGE),
        (asyncpg.ReadOnlySQLTransactionError, FaultClass.OUTAGE),
        (asyncpg.IdleInTransactionSessionTimeoutError, FaultClass.OUTAGE),
        (asyncpg.InFailedSQLTransactionError, FaultClass.BUG),
        (asyncpg.InvalidPasswordError, FaultClass.OUTAGE),
        (asyncpg.InvalidCatalogNameError, FaultClass.OUTAGE),
        (asyncpg.DiskFullError, FaultClass.OUTAGE),
        (asyncpg.OutOfMemoryError, FaultClass.OUTAGE),
        (asyncpg.TooManyConnectionsError, FaultClass.OUTAGE),
        (asyncpg.LockNotAvailableError, FaultClass.OUTAGE),
        (asyncpg.QueryCanceledError, FaultClass.OUTAGE),
        (asyncpg.AdminShutdownError, FaultClass.OUTAGE),
        (asyncpg.PostgresIOError, FaultClass.OUTAGE),
        (asyncpg.DataCorruptedError, FaultClass.OUTAGE),
        (asyncpg.TargetServerAttributeNotMatched, FaultClass.OUTAGE),
        (asyncpg.DeadlockDetectedError, FaultClass.CONTENTION),
        (asyncpg.SerializationError, FaultClass.CONTENTION),
        (asyncpg.exceptions.InvalidCachedStatementError, FaultClass.CONTENTION),
        (asyncpg.UndefinedTableError, FaultClass.BUG),
        (asyncpg.UniqueViolationError, FaultClass.BUG),
        (asyncpg.CharacterNotInRepertoireError, FaultClass.DATA),
        (asyncpg.InterfaceError, FaultClass.BUG),
        (aiormq.exceptions.ProbableAuthenticationError, FaultClass.OUTAGE),
        (aiormq.exceptions.ConnectionClosed, FaultClass.OUTAGE),
        (aiormq.exceptions.ChannelNotFoundEntity, FaultClass.OUTAGE),
        (aiormq.exceptions.ChannelInvalidStateError, FaultClass.OUTAGE),
        (aiormq.exceptions.ConnectionCommandInvalid, FaultClass.BUG),
        (pamqp.exceptions.AMQPContentTooLarge, FaultClass.DATA),
        (faststream.exceptions.IncorrectState, FaultClass.OUTAGE),
        (redis.exceptions.ConnectionError, FaultClass.OUTAGE),
        (redis.exceptions.MaxConnectionsError, FaultClass.CONTENTION),
        (aiohttp.ServerDisconnectedError, FaultClass.OUTAGE),
        (aiohttp.InvalidURL, FaultClass.BUG),
        (TimeoutError, FaultClass.OUTAGE),
        (ConnectionResetError, FaultClass.OUTAGE),
        (ssl.SSLError, FaultClass.OUTAGE),
        (FileNotFoundError, FaultClass.BUG),
        (RuntimeError, FaultClass.BUG),
        (RecursionError, FaultClass.DATA),
        (KeyError, FaultClass.BUG),
    ],
)
def test_error_has_the_class_that_its_meaning_asks_for(kind: type[BaseException], fault_class: FaultClass) -> None:
    assert classify(_made(kind)) is fault_class


def test_our_own_errors_are_classified_by_their_branch_of_the_tree() -> None:
    assert is_outage(Unavailable("away"))
    assert is_outage(TooEarly("not yet"))
    assert classify(Conflict("no")) is FaultClass.DATA
    assert classify(BrokenInvariant("no")) is FaultClass.BUG
    assert is_outage(OSError(errno.ENOSPC, "no space left"))


def test_own_subclass_of_a_drivers_error_is_as_its_parent() -> None:
    class Overtaken(asyncpg.SerializationError):
        pass

    class Lost(redis.exceptions.ConnectionError):
        pass

    assert is_contention(Overtaken("x"))
    assert is_outage(Lost("x"))


def test_group_is_as_bad_as_its_worst_member() -> None:
    away, bad = OSError("away"), RecursionError("deep")
    assert is_outage(ExceptionGroup("both", [away, asyncpg.AdminShutdownError("bye")]))
    assert classify(ExceptionGroup("both", [away, bad])) is FaultClass.DATA


async def test_closed_connection_of_the_broker_is_an_outage_though_it_is_a_plain_runtime_error() -> None:
    connection = aio_pika.Connection("amqp://nowhere/")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError) as raised:
        connection.channel()
    assert type(raised.value) is RuntimeError
    assert is_outage(raised.value)


async def test_runtime_error_of_our_own_is_a_bug_wherever_it_passes_through() -> None:
    async def broken() -> None:
        raise RuntimeError("connection closed")

    with pytest.raises(RuntimeError) as raised:
        await asyncio.wait_for(broken(), 1)
    assert classify(raised.value) is FaultClass.BUG


def test_unlisted_error_of_a_driver_is_reported() -> None:
    unlisted = _made(asyncpg.exceptions.UnknownPostgresError, sqlstate="QQ123")
    name = "asyncpg.exceptions._base.UnknownPostgresError"
    before = metrics.FAULTS_UNLISTED.labels(name)._value.get()
    assert classify(unlisted) is FaultClass.BUG
    assert metrics.FAULTS_UNLISTED.labels(name)._value.get() == before + 1
    assert is_outage(_made(asyncpg.exceptions.UnknownPostgresError, sqlstate="57Q99"))


def test_cause_names_the_error_its_code_and_what_was_said_in_one_line() -> None:
    fault = asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction")
    assert cause_of(fault) == ("ReadOnlySQLTransactionError (25006): cannot execute INSERT in a read-only transaction")
    assert cause_of(TimeoutError()) == "TimeoutError"
