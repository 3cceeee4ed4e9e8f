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
import redis.asyncio.sentinel
import redis.exceptions

from libs.common.errors import BrokenInvariant, Conflict, TooEarly, Unavailable, Undecodable
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
    "redis.auth",
    "redis.event",
    "redis.http",
    "redis.multidb",
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


BY_SQLSTATE = {
    FaultClass.OUTAGE: "08 28 3D 53 55 57 58 F0 XX 25006 25P03 25P04",
    FaultClass.CONTENTION: "40 72",
    FaultClass.DATA: "22 54",
    # Everything else that PostgreSQL's appendix "Error Codes" lists.
    FaultClass.BUG: "01 02 03 09 0A 0B 0F 0L 0P 0Z 10 20 21 23 24 25 26 27 2B 2D 2F 34 38 39 3B 3F 42 44 HV P0 55P02 55P04",
}
"""What a SQLSTATE means, written once more: whole classes by two characters, single codes by five."""

NO_OUTAGES = {
    # Only another message helps.
    FaultClass.DATA: "asyncpg.DataError pamqp.AMQPContentTooLarge",
    # The same work passes when it is run again at once.
    FaultClass.CONTENTION: "asyncpg.OutdatedSchemaCacheError redis.LockError redis.LockNotOwnedError "
    "redis.MaxConnectionsError redis.NoScriptError redis.WatchError",
    # Only another program helps: wrong use of a library, frames that AMQP never admits, addresses that are none.
    FaultClass.BUG: "aio_pika.MessageProcessError aio_pika.PoolInvalidStateError aio_pika.QueueEmpty aiohttp.InvalidURL "
    "aiohttp.InvalidUrlClientError aiohttp.InvalidUrlRedirectClientError aiohttp.NonHttpUrlClientError "
    "aiohttp.NonHttpUrlRedirectClientError aiohttp.RedirectClientError aiohttp.WSMessageTypeError aiormq.AMQPError "
    "aiormq.ConnectionCommandInvalid aiormq.ConnectionNotImplemented aiormq.ConnectionSyntaxError "
    "aiormq.MethodNotImplemented asyncpg.ClientConfigurationError asyncpg.FatalPostgresError asyncpg.InterfaceError "
    "asyncpg.InterfaceWarning asyncpg.PostgresError asyncpg.UnknownPostgresError "
    "asyncpg.UnsupportedClientFeatureError asyncpg.UnsupportedServerFeatureError faststream.AckMessage "
    "faststream.ContextError faststream.FastStreamException faststream.FeatureNotSupportedException "
    "faststream.HandlerException faststream.IgnoredException faststream.NackMessage faststream.RejectMessage "
    "faststream.SetupError faststream.SkipMessage faststream.StartupValidationError faststream.StopApplication "
    "faststream.StopConsume faststream.SubscriberNotFound pamqp.AMQPCommandInvalid pamqp.AMQPNotImplemented "
    "pamqp.AMQPSyntaxError redis.AuthenticationWrongNumberOfArgsError redis.ChildDeadlockedError "
    "redis.ClusterCrossSlotError redis.CrossSlotTransactionError redis.DataError redis.ExecAbortError "
    "redis.IncorrectPolicyType redis.InvalidPipelineStack redis.ModuleError redis.NoSuchFieldsetError "
    "redis.PubSubError redis.ResponseError",
}
"""The drivers' errors without a SQLSTATE that are no outage, by library and class."""


def test_each_class_of_sqlstates_has_its_meaning() -> None:
    for fault_class, states in BY_SQLSTATE.items():
        for state in states.split():
            sqlstate = state if len(state) == 5 else f"{state}Q99"
            fault = _made(asyncpg.exceptions.UnknownPostgresError, sqlstate=sqlstate)
            assert listed(fault) is fault_class, sqlstate


def test_error_of_a_driver_is_an_outage_unless_message_or_code_is_at_fault() -> None:
    meant = {name: fault_class for fault_class, names in NO_OUTAGES.items() for name in names.split()}
    met = set()
    for kind in _driver_errors():
        if isinstance(getattr(kind, "sqlstate", None), str) or issubclass(kind, asyncpg.PostgresLogMessage):
            continue
        name = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
        met.add(name)
        assert listed(_made(kind)) is meant.get(name, FaultClass.OUTAGE), name
    assert met >= meant.keys()


@pytest.mark.parametrize(
    "kind", [FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError], ids=lambda kind: kind.__name__
)
def test_misplaced_file_is_a_bug_of_the_installation(kind: type[OSError]) -> None:
    assert classify(kind("lost")) is FaultClass.BUG


@pytest.mark.parametrize(
    "fault",
    [
        RecursionError("deep"),
        OverflowError("large"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        Undecodable("x"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_a_message_causes_by_itself_is_its_own_fault(fault: Exception) -> None:
    assert classify(fault) is FaultClass.DATA


@pytest.mark.parametrize(
    ("members", "worst"),
    [
        ([asyncpg.SerializationError("x"), OSError("away")], FaultClass.CONTENTION),
        ([asyncpg.SerializationError("x"), KeyError("x"), OSError("away")], FaultClass.BUG),
        ([KeyError("x"), RecursionError("x"), asyncpg.SerializationError("x")], FaultClass.DATA),
    ],
)
def test_groups_member_that_can_least_be_tried_again_decides(members: list[Exception], worst: FaultClass) -> None:
    assert classify(ExceptionGroup("some", members)) is worst


def test_stale_plan_is_contention_though_its_sqlstate_says_a_bug() -> None:
    stale = _made(asyncpg.exceptions.InvalidCachedStatementError, sqlstate="0A000")
    assert is_contention(stale)


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


async def test_closed_connection_of_the_broker_is_an_outage_as_a_runtime_error() -> None:
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


def test_cause_names_the_error_its_code_and_its_text_in_one_line() -> None:
    fault = asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction")
    assert cause_of(fault) == ("ReadOnlySQLTransactionError (25006): cannot execute INSERT in a read-only transaction")
    assert cause_of(TimeoutError()) == "TimeoutError"
    long = RuntimeError(f"first line {'x' * 400}\nsecond line")
    assert cause_of(long).startswith("RuntimeError: first line xxx")
    assert len(cause_of(long)) == 300
    assert "second" not in cause_of(RuntimeError("first\nsecond"))
