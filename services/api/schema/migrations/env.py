"""Alembic's environment for the schema `api`."""

from libs.common.db.migrate import run_env
from services.api.schema.tables import METADATA

run_env(METADATA)
