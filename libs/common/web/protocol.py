"""HTTP as it arrives: what is not HTTP is answered with a problem document too, as far as the server lets us."""

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.common.observability.correlation import new_correlation_id
from libs.common.web.problems import MEDIA_TYPE, Problem

_DETAIL = "the request is not HTTP/1.1"


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose answer to malformed HTTP is a problem document."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the name that uvicorn calls
        """Refuse what cannot be parsed and close; `msg` is the server's own wording, which is not passed on."""
        problem = Problem(
            type="/problems/malformed_request",
            title="Bad Request",
            status=400,
            detail=_DETAIL,
            instance="",
            code="malformed_request",
            correlation_id=new_correlation_id(),
        )
        body = msgspec.json.encode(problem)
        lines = (
            "HTTP/1.1 400 Bad Request",
            f"content-type: {MEDIA_TYPE}",
            f"content-length: {len(body)}",
            f"x-correlation-id: {problem.correlation_id}",
            "connection: close",
            "",
            "",
        )
        self.transport.write("\r\n".join(lines).encode() + body)
        self.transport.close()
