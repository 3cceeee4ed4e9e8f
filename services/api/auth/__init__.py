"""Who is asking, for which tenant, and may they? Tokens, passwords, policies, and the one door that checks them all."""

from services.api.auth.access import Access, Caller
from services.api.auth.directory import Directory
from services.api.auth.login import Login, Session
from services.api.auth.passwords import Passwords
from services.api.auth.tokens import Principal, Tokens

__all__ = ["Access", "Caller", "Directory", "Login", "Passwords", "Principal", "Session", "Tokens"]
