"""The log of requests: what a tenant's keys and users sent lately, and how it was answered."""

from services.api.request_log.commands import RequestLog
from services.api.request_log.workers import request_log_workers, request_partitions

__all__ = ["RequestLog", "request_log_workers", "request_partitions"]
