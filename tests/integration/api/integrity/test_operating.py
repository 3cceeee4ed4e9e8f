"""The commands with which an operator verifies and exports the sealed changes, and an auditor the export."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.local.servers import Servers
from services.api.cli import export, print_public_keys, verify
from services.api.integrity.commands import offline
from services.api.settings import ProofSettings
from tests.integration.api.integrity.conftest import scene


async def test_operator_verifies_and_exports_and_an_auditor_verifies_it(
    servers: Servers, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(servers, tmp_path) as made:
        pem = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        proof = ProofSettings(api_signing_private_key=pem, api_heads_file=str(made.file))
        settings = msgspec.structs.replace(made.settings, proof=proof)

        def printed() -> str:
            return capsys.readouterr().out

        printed()
        await verify(settings)
        assert printed().endswith("chains recomputed, 0 findings\n")
        keys, exported = tmp_path / "keys.pem", tmp_path / "changes.jsonl"
        await print_public_keys(settings)
        keys.write_text(printed())
        await export(settings)
        exported.write_text(printed())
        monkeypatch.setattr("sys.argv", ["offline", str(exported), "--keys", str(keys), "--heads", str(made.file)])
        offline.main()
        assert printed().endswith("2 signed statements (signatures by known keys): 0 faults\n")
        exported.write_text(exported.read_text().replace("SUSPENDED", "ACTIVE"))
        with pytest.raises(SystemExit, match="1"):
            offline.main()
        assert "is not as it was sealed" in printed()
        async with made.owner() as owner:
            await owner.execute("ALTER TABLE users DISABLE TRIGGER USER; UPDATE users SET roles = '{admin}'")
        with pytest.raises(SystemExit, match="1"):
            await verify(settings)
        assert "the row is not as it was sealed: roles\n" in printed()
