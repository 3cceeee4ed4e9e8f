"""One closed list of what PostgreSQL, RabbitMQ, Redis and HTTP peers may raise, and what each error means for us.

    OUTAGE       nothing is wrong with the work: wait in place, HTTP 503, try again unchanged
    CONTENTION   the work lost against other work: run it again at once
    BUG          our code, schema or settings: a few retries (a deployment may be in progress), then a dead letter, HTTP 500
    DATA         this work can never succeed as it is: dead letter at once

Consumers, relays, workers and HTTP all decide by `classify`. PostgreSQL's errors are decided by SQLSTATE, everything else
by the exception's class. An error of one of these libraries that is not listed counts as a bug and is reported:
log event `fault.unlisted`, metric `faults_unlisted_total`. A test compares the list with the installed libraries.
"""

from enum import StrEnum
from types import TracebackType

from libs.common.errors import Rejected, Transient, Undecodable
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger

log = get_logger("outages")


class FaultClass(StrEnum):
    """What an error means for the work that met it."""

    OUTAGE = "outage"
    CONTENTION = "contention"
    BUG = "bug"
    DATA = "data"


_OUTAGE, _CONTENTION, _BUG, _DATA = FaultClass

LIBRARIES = ("asyncpg", "redis", "aio_pika", "aiormq", "pamqp", "aiohttp", "faststream")
"""The packages whose exceptions must all be listed."""

SQLSTATES: dict[str, FaultClass] = {
    # Whole classes, by their first two characters, as in PostgreSQL's appendix "Error Codes".
    "01": _BUG,  # a warning is never raised
    "02": _BUG,  # likewise "no data"
    "03": _BUG,
    "08": _OUTAGE,  # the connection ended
    "09": _BUG,
    "0A": _BUG,
    "0B": _BUG,
    "0F": _BUG,
    "0L": _BUG,
    "0P": _BUG,
    "0Z": _BUG,
    "10": _BUG,
    "20": _BUG,
    "21": _BUG,
    "22": _DATA,  # a value that no column of that type can hold
    "23": _BUG,  # a constraint refused what our own checks let through; a race passes when tried again
    "24": _BUG,
    "25": _BUG,
    "26": _BUG,  # a prepared statement is missing: a pooler of which the settings know nothing
    "27": _BUG,
    "28": _OUTAGE,  # the login is refused: a password is being rotated, a role is locked
    "2B": _BUG,
    "2D": _BUG,
    "2F": _BUG,
    "34": _BUG,
    "38": _BUG,
    "39": _BUG,
    "3B": _BUG,
    "3D": _OUTAGE,  # the database is missing: it is being restored, or a pooler does not know it yet
    "3F": _BUG,
    "40": _CONTENTION,  # serialization failures and deadlocks
    "42": _BUG,  # a missing table, column or right: a migration has not run
    "44": _BUG,
    "53": _OUTAGE,  # disk full, out of memory, too many connections
    "54": _DATA,  # too large or too complex for the server, whenever it is tried
    "55": _OUTAGE,  # a lock was not granted in time, an object is in use
    "57": _OUTAGE,  # a statement was cancelled, the server is stopping or starting
    "58": _OUTAGE,  # input and output errors of the server
    "72": _CONTENTION,  # the snapshot is too old
    "F0": _OUTAGE,  # the server's own configuration file
    "HV": _BUG,
    "P0": _BUG,
    "XX": _OUTAGE,  # an internal error of the server
    # Single codes that differ from their class.
    "25006": _OUTAGE,  # read-only: a standby, or a primary that was demoted
    "25P03": _OUTAGE,  # the server ended a transaction that was idle for too long
    "25P04": _OUTAGE,  # the server ended a transaction that took too long
    "55P02": _BUG,
    "55P04": _BUG,
}

_UNFINISHED_SQLSTATES = ("25P04", "53200", "53400", "55006", "55P03", "57014")
"""The server answers and gave a statement up: for its time, its memory, or a lock that it did not get."""
READ_ONLY_SQLSTATE = "25006"
"""The server that we are connected to takes no writes."""

CLASSES: dict[str, FaultClass] = {
    # PostgreSQL's driver, apart from what carries a SQLSTATE.
    "asyncpg.exceptions._base.PostgresError": _BUG,
    "asyncpg.exceptions._base.FatalPostgresError": _BUG,
    "asyncpg.exceptions._base.UnknownPostgresError": _BUG,
    "asyncpg.exceptions._base.InterfaceError": _BUG,  # wrong use; the pool turns what a lost connection causes into an outage
    "asyncpg.exceptions._base.ClientConfigurationError": _BUG,
    "asyncpg.exceptions._base.DataError": _DATA,  # an argument that its type cannot hold
    "asyncpg.exceptions._base.UnsupportedClientFeatureError": _BUG,
    "asyncpg.exceptions._base.UnsupportedServerFeatureError": _BUG,
    "asyncpg.exceptions._base.InterfaceWarning": _BUG,
    "asyncpg.exceptions._base.InternalClientError": _OUTAGE,  # the stream broke; the connection is thrown away
    "asyncpg.exceptions._base.ProtocolError": _OUTAGE,
    "asyncpg.exceptions._base.TargetServerAttributeNotMatched": _OUTAGE,  # no primary among the hosts
    "asyncpg.exceptions._base.OutdatedSchemaCacheError": _CONTENTION,  # a migration changed a type; it is read anew
    "asyncpg.exceptions.InvalidCachedStatementError": _CONTENTION,  # likewise a table
    "asyncpg.pgproto.pgproto.BufferError": _OUTAGE,  # the stream was torn
    # RabbitMQ, closed connections. The reply code stands behind each.
    "aiormq.exceptions.AMQPError": _BUG,
    "aiormq.exceptions.AMQPConnectionError": _OUTAGE,
    "aiormq.exceptions.AuthenticationError": _OUTAGE,  # no common mechanism: the broker is being reconfigured
    "aiormq.exceptions.ProbableAuthenticationError": _OUTAGE,  # 403: the login is refused, a password is being rotated
    "aiormq.exceptions.IncompatibleProtocolError": _OUTAGE,  # something else answers on that port
    "aiormq.exceptions.ConnectionClosed": _OUTAGE,  # 320: closed by an operator or a shutdown; 402: no virtual host
    "aiormq.exceptions.ConnectionFrameError": _OUTAGE,  # 501: the stream was torn; the next one starts clean
    "aiormq.exceptions.ConnectionSyntaxError": _BUG,  # 502: a field that AMQP does not admit, the same every time
    "aiormq.exceptions.ConnectionCommandInvalid": _BUG,  # 503: frames in an order that AMQP does not admit
    "aiormq.exceptions.ConnectionChannelError": _OUTAGE,  # 504: something was sent to a channel just closed
    "aiormq.exceptions.ConnectionUnexpectedFrame": _OUTAGE,  # 505: the stream was torn
    "aiormq.exceptions.ConnectionResourceError": _OUTAGE,  # 506: the broker lacks resources
    "aiormq.exceptions.ConnectionNotAllowed": _OUTAGE,  # 530: a limit of the virtual host or the user
    "aiormq.exceptions.ConnectionNotImplemented": _BUG,  # 540
    "aiormq.exceptions.ConnectionInternalError": _OUTAGE,  # 541: an error of the broker
    # RabbitMQ, closed channels.
    "aiormq.exceptions.AMQPChannelError": _OUTAGE,
    "aiormq.exceptions.ChannelClosed": _OUTAGE,  # any code without a class of its own
    "aiormq.exceptions.ChannelAccessRefused": _OUTAGE,  # 403: rights are the operator's, and the message is none the worse
    "aiormq.exceptions.ChannelNotFoundEntity": _OUTAGE,  # 404: a queue or exchange was deleted; it is declared again
    "aiormq.exceptions.ChannelLockedResource": _OUTAGE,  # 405: our own former connection still holds the queue
    "aiormq.exceptions.ChannelPreconditionFailed": _OUTAGE,  # 406: an acknowledgement too late, a queue in another state
    "aiormq.exceptions.DuplicateConsumerTag": _OUTAGE,  # 530: a consumer that is being made again
    "aiormq.exceptions.ChannelInvalidStateError": _OUTAGE,  # the channel is closed and will be opened again
    "aiormq.exceptions.ProtocolSyntaxError": _OUTAGE,  # the stream was torn
    "aiormq.exceptions.InvalidFrameError": _OUTAGE,
    "aiormq.exceptions.MethodNotImplemented": _BUG,
    "aiormq.exceptions.DeliveryError": _OUTAGE,  # nacked: the queue is full or has no leader; it stays and goes again
    "aiormq.exceptions.PublishError": _OUTAGE,  # 312, 313: returned, since no queue is bound
    "aio_pika.exceptions.MessageProcessError": _BUG,  # acknowledged twice
    "aio_pika.exceptions.QueueEmpty": _BUG,
    "aio_pika.pool.PoolInvalidStateError": _BUG,
    "pamqp.exceptions.PAMQPException": _OUTAGE,  # the stream was torn
    "pamqp.exceptions.UnmarshalingException": _OUTAGE,
    "pamqp.exceptions.AMQPError": _OUTAGE,
    "pamqp.exceptions.AMQPSoftError": _OUTAGE,
    "pamqp.exceptions.AMQPHardError": _OUTAGE,
    "pamqp.exceptions.AMQPContentTooLarge": _DATA,  # 311: refused whenever it is sent
    "pamqp.exceptions.AMQPNoRoute": _OUTAGE,
    "pamqp.exceptions.AMQPNoConsumers": _OUTAGE,
    "pamqp.exceptions.AMQPAccessRefused": _OUTAGE,
    "pamqp.exceptions.AMQPNotFound": _OUTAGE,
    "pamqp.exceptions.AMQPResourceLocked": _OUTAGE,
    "pamqp.exceptions.AMQPPreconditionFailed": _OUTAGE,
    "pamqp.exceptions.AMQPConnectionForced": _OUTAGE,
    "pamqp.exceptions.AMQPInvalidPath": _OUTAGE,
    "pamqp.exceptions.AMQPFrameError": _OUTAGE,
    "pamqp.exceptions.AMQPSyntaxError": _BUG,
    "pamqp.exceptions.AMQPCommandInvalid": _BUG,
    "pamqp.exceptions.AMQPChannelError": _OUTAGE,
    "pamqp.exceptions.AMQPUnexpectedFrame": _OUTAGE,
    "pamqp.exceptions.AMQPResourceError": _OUTAGE,
    "pamqp.exceptions.AMQPNotAllowed": _OUTAGE,
    "pamqp.exceptions.AMQPNotImplemented": _BUG,
    "pamqp.exceptions.AMQPInternalError": _OUTAGE,
    "faststream.exceptions.FastStreamException": _BUG,
    "faststream.exceptions.IncorrectState": _OUTAGE,  # publishing while the broker object is not connected
}


def _listed(module: str, fault_class: FaultClass, names: str) -> None:
    CLASSES.update((f"{module}.{name}", fault_class) for name in names.split())


_listed(
    "faststream.exceptions",
    _BUG,
    "IgnoredException StopConsume StopApplication HandlerException SkipMessage AckMessage NackMessage RejectMessage "
    "SetupError StartupValidationError FeatureNotSupportedException SubscriberNotFound ContextError",
)
# Redis: a cache that may vanish; whoever uses it goes on without.
_listed(
    "redis.exceptions",
    _OUTAGE,
    "RedisError ConnectionError TimeoutError AuthenticationError AuthorizationError BusyLoadingError ClusterError "
    "ClusterDownError MasterDownError ReadOnlyError OutOfMemoryError TryAgainError AskError MovedError "
    "ExternalAuthProviderError InvalidResponse RedisClusterException SlotNotCoveredError NoPermissionError",
)
# The Sentinels know no master at the moment, or none of them answers.
for _module in ("redis.asyncio.sentinel", "redis.sentinel"):
    _listed(_module, _OUTAGE, "MasterNotFoundError SlaveNotFoundError")
# Our own pool is used up, a watched key changed, a script was flushed, a lock was lost: it is tried again.
_listed("redis.exceptions", _CONTENTION, "MaxConnectionsError WatchError NoScriptError LockError LockNotOwnedError")
_listed(
    "redis.exceptions",
    _BUG,
    "ResponseError DataError PubSubError ExecAbortError ModuleError ClusterCrossSlotError CrossSlotTransactionError "
    "ChildDeadlockedError IncorrectPolicyType InvalidPipelineStack NoSuchFieldsetError AuthenticationWrongNumberOfArgsError",
)
# HTTP peers: processors and merchants' endpoints. Each adapter translates them with its own knowledge of what was sent.
_listed(
    "aiohttp.client_exceptions",
    _OUTAGE,
    "ClientError ClientConnectionError ClientConnectionResetError ClientConnectorError ClientConnectorCertificateError "
    "ClientConnectorDNSError ClientConnectorSSLError ClientHttpProxyError ClientOSError ClientPayloadError "
    "ClientProxyConnectionError ClientResponseError ClientSSLError ConnectionTimeoutError ContentTypeError "
    "ServerConnectionError ServerDisconnectedError ServerFingerprintMismatch ServerTimeoutError SocketTimeoutError "
    "TooManyRedirects UnixClientConnectorError UploadAbortedError WSServerHandshakeError",
)
# What a peer sends that is not HTTP; the client wraps these.
_listed(
    "aiohttp.http_exceptions",
    _OUTAGE,
    "HttpProcessingError BadHttpMessage HttpBadRequest PayloadEncodingError ContentEncodingError TransferEncodingError "
    "ContentLengthError DecompressSizeError LineTooLong InvalidHeader BadStatusLine BadHttpMethod InvalidURLError",
)
_listed("aiohttp.multipart", _OUTAGE, "BadContentDispositionHeader BadContentDispositionParam")
_listed(
    "aiohttp.client_exceptions",
    _BUG,
    "InvalidURL InvalidUrlClientError InvalidUrlRedirectClientError NonHttpUrlClientError NonHttpUrlRedirectClientError "
    "RedirectClientError WSMessageTypeError",
)

_REDIS_REFUSALS = ("MISCONF", "NOREPLICAS", "BUSY", "UNKILLABLE")
"""Answers of Redis without a class of their own in its driver: it cannot save, lacks replicas, or runs another's script."""
_STALE_PLANS = ("InvalidCachedStatementError",)
"""Classes that the driver makes out of a SQLSTATE of another meaning."""
_POISON = (RecursionError, UnicodeError, OverflowError)
"""What a message causes by itself, every time."""
_MISPLACED = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
"""Errors of the file system that say something about our installation, not about a peer."""
_CAUSE_CHARACTERS = 300
_CARRIERS = ("asyncio", "uvloop")
"""What stands between a driver and the socket: the error belongs to whoever called it."""


def classify(fault: BaseException) -> FaultClass:
    """Return what `fault` means for the work that met it; an unlisted error of a driver is reported and counts as a bug."""
    if isinstance(fault, BaseExceptionGroup):
        classes = {classify(member) for member in fault.exceptions}
        # A group is as bad as its worst member.
        return next(each for each in (_DATA, _BUG, _CONTENTION, _OUTAGE) if each in classes)
    known = listed(fault)
    if known is not None:
        return _OUTAGE if known is _BUG and _is_refused_by_redis(fault) else known
    if isinstance(fault, Transient):
        return _OUTAGE
    if isinstance(fault, (*_POISON, Rejected, Undecodable)):
        return _DATA
    if isinstance(fault, _MISPLACED):
        return _BUG
    if isinstance(fault, OSError) or _is_closed_transport(fault):
        return _OUTAGE
    if _root(type(fault).__module__) in LIBRARIES or getattr(fault, "sqlstate", None):
        _report(fault)
    return _BUG


def is_outage(fault: BaseException) -> bool:
    """Whether something that we need is away, so that the same work will pass once it is back."""
    return classify(fault) is _OUTAGE


def is_contention(fault: BaseException) -> bool:
    """Whether the same work may simply be run again."""
    return classify(fault) is _CONTENTION


def is_unfinished(fault: BaseException) -> bool:
    """Whether the server, or the deadline, canceled one statement: an outage that the statement may have made itself."""
    sqlstate = str(getattr(fault, "sqlstate", None) or "")
    return isinstance(fault, TimeoutError) or sqlstate in _UNFINISHED_SQLSTATES or sqlstate.startswith("XX")


def listed(fault: BaseException) -> FaultClass | None:
    """Return the class that the closed list gives to an error, by SQLSTATE or else by its own class; None when it has none.

    A subclass that is not listed itself is as its nearest listed parent, if it is ours: a new class of a library is unlisted.
    """
    sqlstate = getattr(fault, "sqlstate", None)
    for kind in type(fault).__mro__:
        if isinstance(sqlstate, str) and kind.__qualname__ not in _STALE_PLANS:
            return SQLSTATES.get(sqlstate) or SQLSTATES.get(sqlstate[:2])
        found = CLASSES.get(f"{kind.__module__}.{kind.__qualname__}")
        if found is not None or _root(kind.__module__) in LIBRARIES:
            return found
    return None


def cause_of(fault: BaseException) -> str:
    """Return an error as one line for a log: its class, its SQLSTATE if any, and the text of the server or the driver."""
    sqlstate = getattr(fault, "sqlstate", None)
    name = f"{type(fault).__name__} ({sqlstate})" if sqlstate else type(fault).__name__
    text = str(fault).strip().partition("\n")[0]
    return f"{name}: {text}"[:_CAUSE_CHARACTERS] if text else name


def _is_refused_by_redis(fault: BaseException) -> bool:
    return _root(type(fault).__module__) == "redis" and str(fault).partition(" ")[0] in _REDIS_REFUSALS


def _is_closed_transport(fault: BaseException) -> bool:
    """Whether aio-pika refuses because its connection or channel is closed, which it says by a plain RuntimeError.

    Recognised by where it was raised, not by its text: a RuntimeError of anybody else is a bug.
    """
    if type(fault) is not RuntimeError:
        return False
    raised_in = ""
    at: TracebackType | None = fault.__traceback__
    while at is not None:
        module = _root(str(at.tb_frame.f_globals.get("__name__", "")))
        if module not in _CARRIERS:
            raised_in = module
        at = at.tb_next
    return raised_in in {"aio_pika", "aiormq"}


def _root(module: str) -> str:
    return module.partition(".")[0]


def _report(fault: BaseException) -> None:
    name = f"{type(fault).__module__}.{type(fault).__qualname__}"
    metrics.FAULTS_UNLISTED.labels(name).inc()
    log.error("fault.unlisted", error=name, sqlstate=getattr(fault, "sqlstate", None), detail=cause_of(fault))
