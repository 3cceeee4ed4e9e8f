"""The sandbox: a processor that moves no money, keeps books like any other, and does by amount what real ones do by chance.

`cases` is the only place where the special amounts stand; `docs/sandbox.md` is written from it. `account` is what is true of
one payment there, `book` remembers it, and `processor` is the adapter of the port.
"""

from services.gateway.processors.sandbox.book import Book, MemoryBook, StoredBook
from services.gateway.processors.sandbox.cases import CASES, Case, Later, Start, Trouble, sandbox_page
from services.gateway.processors.sandbox.nouns import SandboxPayment
from services.gateway.processors.sandbox.processor import SandboxProcessor
from services.gateway.processors.sandbox.sql import SandboxStore
from services.gateway.processors.sandbox.vault import SandboxVault

__all__ = [
    "CASES",
    "Book",
    "Case",
    "Later",
    "MemoryBook",
    "SandboxPayment",
    "SandboxProcessor",
    "SandboxStore",
    "SandboxVault",
    "Start",
    "StoredBook",
    "Trouble",
    "sandbox_page",
]
