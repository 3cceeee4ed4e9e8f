"""An example of every answer of the OpenAPI document, made from the schema of the answer."""

from typing import Any

from libs.common.contracts.shapes import sample

_JSON = "application/json"


def give_examples(spec: dict[str, Any]) -> None:
    """Write an example beside the schema of every success."""
    parts = spec["components"]["schemas"]
    for operations in spec["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get(_JSON)
                if status.startswith("2") and content is not None:
                    content["example"] = sample(content["schema"], parts)


__all__ = ["give_examples"]
