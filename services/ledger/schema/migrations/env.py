"""Alembic's environment for the schema `ledger`."""

from libs.common.db.migrate import run_env
from services.ledger.schema.tables import METADATA

run_env(METADATA)
