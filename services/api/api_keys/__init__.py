"""API keys: what programs of a tenant prove themselves with, beside the tokens of people."""

from services.api.api_keys.commands import ApiKeys
from services.api.api_keys.domain import KeyMode
from services.api.api_keys.verifying import Bearers, KeyVerifier
from services.api.api_keys.workers import api_key_workers

__all__ = ["ApiKeys", "Bearers", "KeyMode", "KeyVerifier", "api_key_workers"]
