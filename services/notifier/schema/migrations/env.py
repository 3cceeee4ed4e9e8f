"""Alembic's environment for the schema `notifier`."""

from libs.common.db.migrate import run_env
from services.notifier.schema.tables import METADATA

run_env(METADATA)
