"""What is kept from schemathesis: it may choose chaos like anything else, but not be disturbed by it for the rest of its run.

Loaded by schemathesis itself, through SCHEMATHESIS_HOOKS.
"""

from typing import Any

import schemathesis


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_call(_: Any, case: Any, **__: Any) -> None:
    """Switch chaos off in every valid body that would switch it on; all else of the body stays as it was generated."""
    if case.operation.path == "/v1/admin/chaos" and isinstance(case.body, dict) and case.body.get("enabled") is True:
        case.body["enabled"] = False
