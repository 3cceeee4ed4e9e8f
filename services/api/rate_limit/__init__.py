"""How many requests may a caller make? Counted in Redis, exact across processes; without Redis only logins are counted."""

from services.api.rate_limit.limiter import Count, Limit, RateLimiter
from services.api.rate_limit.store import Store

__all__ = ["Count", "Limit", "RateLimiter", "Store"]
