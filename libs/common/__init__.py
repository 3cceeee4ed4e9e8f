"""Vocabulary (money, ids, time, errors, contracts) and transport (messaging, database, HTTP) that all services share."""

VERSION = "0.2.0"
"""The version of this platform; `pyproject.toml` states the same."""
