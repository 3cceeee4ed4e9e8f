"""How Pact's verifier runs: it reports to nobody, and loads one certificate where it would load all for each message."""

import ssl
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def one_root(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A file with one root certificate: the verifier refuses to start without any, and calls nothing over TLS."""
    roots = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not roots:
        return None
    path = tmp_path_factory.mktemp("roots") / "one.pem"
    path.write_text(ssl.DER_cert_to_PEM_cert(roots[0]))
    return path


@pytest.fixture(autouse=True)
def quiet_pact(monkeypatch: pytest.MonkeyPatch, one_root: Path | None) -> None:
    """Set what the verifier reads from its environment."""
    monkeypatch.setenv("PACT_DO_NOT_TRACK", "true")
    if one_root is not None:
        monkeypatch.setenv("SSL_CERT_FILE", str(one_root))
        monkeypatch.setenv("SSL_CERT_DIR", str(one_root.parent))
