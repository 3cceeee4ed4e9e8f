"""Alembic's entry: this service's tables, in its own schema."""

from libs.common.db.migrate import run_env
from services.gateway.schema.tables import METADATA

run_env(METADATA)
