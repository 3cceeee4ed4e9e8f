"""The generated part of the Python client."""

from deploy.local.python_client.modules import FILES, texts

__all__ = ["FILES", "texts"]
