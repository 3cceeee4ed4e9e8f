"""What the api reads and answers, and the events that it sends."""

from payments_client.generated.models import *  # noqa: F403 - every schema of the document
