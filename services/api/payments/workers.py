"""Payments that wait are swept and measured on a clock."""

from libs.common.service import Worker
from services.api.payments.commands import Abandoner, Sweeper

_MEASURE_EVERY_SECONDS = 10.0
"""How fresh the gauges of waiting payments are."""
_FORGET_SWEEPS_EVERY_SECONDS = 3_600.0
"""How often sweeps of payments that have gone on are looked for."""
_ABANDON_EVERY_SECONDS = 60.0
"""How often customers who have left are looked for."""


def payment_workers(sweeper: Sweeper, abandoner: Abandoner, *, sweep_every_seconds: float) -> list[Worker]:
    """Build the workers of payments."""
    return [
        Worker(name="sweep waiting payments", every_seconds=sweep_every_seconds, run=sweeper.sweep),
        Worker(name="measure waiting payments", every_seconds=_MEASURE_EVERY_SECONDS, run=sweeper.measure),
        Worker(name="cancel abandoned payments", every_seconds=_ABANDON_EVERY_SECONDS, run=abandoner.abandon),
        Worker(name="forget sweeps", every_seconds=_FORGET_SWEEPS_EVERY_SECONDS, run=sweeper.forget),
    ]
