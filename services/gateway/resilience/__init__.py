"""How a processor is called so that its bad days stay its own: retries, circuit breakers, a bulkhead, and a pace for each account.

`ResilientProcessor` is itself a processor, wrapped around another one.
"""

from services.gateway.resilience.account import AccountGuard, AccountGuards
from services.gateway.resilience.bucket import Bucket, NotSentError
from services.gateway.resilience.bulkhead import Bulkhead, BulkheadFullError
from services.gateway.resilience.calling import CALLED_SECONDS, READING, ResilientProcessor, Retries
from services.gateway.resilience.circuit import Circuit, CircuitOpenError, CircuitState

__all__ = [
    "CALLED_SECONDS",
    "READING",
    "AccountGuard",
    "AccountGuards",
    "Bucket",
    "Bulkhead",
    "BulkheadFullError",
    "Circuit",
    "CircuitOpenError",
    "CircuitState",
    "NotSentError",
    "ResilientProcessor",
    "Retries",
]
