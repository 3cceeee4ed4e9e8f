"""Feature flags: what a tenant may or may not use, beyond plans and permissions. Pure.

The registry is closed: a flag exists where code checks it. A row in `feature_flags` overrides the default below, for one
tenant or, without one, for all.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from services.api.http.callers import Feature


class FeatureKind(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature is, and whether it can be used where nobody has set it."""

    meaning: str
    """What it allows or does, as a sentence."""
    is_enabled: bool
    """Whether it is on by default."""


EVERY_TENANT = ""
"""The tenant of a row that is meant for all."""

FEATURES: Mapping[Feature, FeatureKind] = MappingProxyType(
    {
        Feature.STRICT_BODIES: FeatureKind(
            meaning="Members of a body that nobody reads are refused even where the client prefers to have them ignored by "
            "`Prefer: handling=lenient`. Where money is moved they always are.",
            is_enabled=False,
        ),
        Feature.WEBHOOK_REPLAYS: FeatureKind(
            meaning="Past events may be delivered to a webhook endpoint again.", is_enabled=True
        ),
        Feature.AUDIT_EXPORT: FeatureKind(meaning="The audit log may be exported as CSV.", is_enabled=True),
    }
)
"""The closed list, in the order in which it is shown."""


class FlagState(msgspec.Struct, frozen=True, kw_only=True):
    """One feature as it is for one tenant."""

    feature: Feature
    is_enabled: bool
    source: str
    """Who decided: `default` (the registry), `global` (a row for all) or `tenant` (a row of its own)."""


def states_of(flags: Mapping[tuple[str, str], bool]) -> list[FlagState]:
    """Decide every feature by the rows of a tenant and of all tenants, given as (name, tenant): enabled."""
    found = []
    for feature, kind in FEATURES.items():
        own = next((on for (name, tenant), on in flags.items() if name == feature and tenant != EVERY_TENANT), None)
        every = flags.get((feature.value, EVERY_TENANT))
        source, is_enabled = "default", kind.is_enabled
        if own is not None:
            source, is_enabled = "tenant", own
        elif every is not None:
            source, is_enabled = "global", every
        found.append(FlagState(feature=feature, is_enabled=is_enabled, source=source))
    return found


def enabled_of(flags: Mapping[tuple[str, str], bool]) -> frozenset[Feature]:
    """The features that a tenant may use."""
    return frozenset(state.feature for state in states_of(flags) if state.is_enabled)
