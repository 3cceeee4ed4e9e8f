"""Live answers beside the examples of the document: every list and every single thing that can be read without an id.

`Client` compares each answer that it receives, here and in all other tests.
"""

import pytest

from tests.support.documents import openapi
from tests.support.platform import Client

SET_FIRST = {
    "/v1/identity-provider": {
        "issuer": "https://login.example.com",
        "client_id": "payments",
        "client_secret": "of-a-test",
    }
}
"""What is there only once somebody has set it, and what with."""


def readable() -> list[str]:
    shared = openapi()["components"]["parameters"]
    found = []
    for path, methods in openapi()["paths"].items():
        given = [
            shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p
            for p in methods.get("get", {}).get("parameters", ())
        ]
        required = [
            parameter["name"] for parameter in given if parameter["in"] == "query" and parameter.get("required")
        ]
        if "get" in methods and "{" not in path and not required:
            found.append(path)
    return found


@pytest.mark.parametrize("path", readable())
async def test_what_is_read_is_like_its_example(admin: Client, path: str) -> None:
    if path in SET_FIRST:
        put = await admin.call("PUT", path, SET_FIRST[path])
        assert put.status in {200, 201}, put.raw
    answer = await admin.call("GET", path)
    if path in SET_FIRST:
        await admin.call("DELETE", path)
    assert answer.status == 200, answer.raw
