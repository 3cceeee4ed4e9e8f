"""How a processor is called so that its bad days stay its own: retries, a circuit breaker and a bulkhead.

`ResilientProcessor` is itself a processor, wrapped around another one.
"""

from services.gateway.resilience.bulkhead import Bulkhead, BulkheadFullError
from services.gateway.resilience.calling import CALLED_SECONDS, ResilientProcessor, Retries
from services.gateway.resilience.circuit import Circuit, CircuitOpenError, CircuitState

__all__ = [
    "CALLED_SECONDS",
    "Bulkhead",
    "BulkheadFullError",
    "Circuit",
    "CircuitOpenError",
    "CircuitState",
    "ResilientProcessor",
    "Retries",
]
