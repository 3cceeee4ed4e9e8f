"""API keys: what programs of a tenant prove themselves with, beside the tokens of people."""

from services.api.api_keys.commands import ApiKeys
from services.api.api_keys.domain import KeyMode
from services.api.api_keys.verifying import NOTE_USES_EVERY_SECONDS, Bearers, KeyVerifier

__all__ = ["NOTE_USES_EVERY_SECONDS", "ApiKeys", "Bearers", "KeyMode", "KeyVerifier"]
