"""Alembic's door to the api's schema."""

from libs.common.db.migrate import run_env
from services.api.schema.tables import METADATA

run_env(METADATA)
