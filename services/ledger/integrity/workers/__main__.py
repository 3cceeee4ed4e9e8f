"""`python -m services.ledger.integrity.workers`: the verifier's own process, started by the ledger's with a socket as its input."""

import socket

import uvloop

from services.ledger.integrity.workers.rounds import serve_rounds

if __name__ == "__main__":
    uvloop.run(serve_rounds(socket.socket(fileno=0)))
