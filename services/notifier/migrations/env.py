"""Alembic's environment for the schema `notifier`."""

from libs.common.db.migrate import run_env
from services.notifier.models import METADATA

run_env(METADATA)
