"""How the notifier fails where nobody outside it learns the code; what it refuses others is in its contract."""

from libs.common.errors import BrokenInvariant


class SecretUnreadable(BrokenInvariant):
    """A sealed secret cannot be opened: its key is not in the key ring, or it was not sealed for this endpoint."""

    code = "secret_unreadable"
