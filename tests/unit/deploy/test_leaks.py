"""Secrets of real systems and known vulnerabilities are found by the checks of the test command."""

import subprocess
from pathlib import Path

import pytest

from deploy.local import audits
from deploy.local.leaks import FORMS, leaks

# Written in two parts, so that the scan does not find them here.
EXAMPLES = {
    "a private key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "a live key of Stripe": "sk_live" + "_51Mabcdefghijklmnop",
    "a test key of Stripe": "rk_test" + "_51Mabcdefghijklmnopqrstuvw",
    "a secret of webhooks": "whsec" + "_abcdefghijklmnopqrstuvwxyz",
    "a live key of this platform": "payk_live" + "_abcdefghijklmnopqrstuvwxyzabcdef",
    "a key of AWS": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a token of GitHub": "ghp" + "_abcdefghijklmnopqrstuvwxyzabcdefghij",
    "a token of GitLab": "glpat" + "-abcdefghijklmnopqrst",
    "a token of Slack": "xoxb" + "-1234567890-abc",
    "a key of Google": "AIza" + "abcdefghijklmnopqrstuvwxyzabcdefghi",
    "a token of PyPI": "pypi-AgEI" + "cHlwaS5vcmc",
    "a token of npm": "npm" + "_abcdefghijklmnopqrstuvwxyzabcdefghij",
    "a signed token": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiJhYmNkIn0.abcdefghijklmnop",
}


def test_each_form_is_found_and_its_secret_not_shown(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert EXAMPLES.keys() == FORMS.keys()
    for place, text in enumerate(EXAMPLES.values()):
        (tmp_path / f"file{place}.txt").write_text(f"x = '{text}'\n")
    assert sorted(leaks(tmp_path)) == sorted(f"file{place}.txt:1: {kind}" for place, kind in enumerate(EXAMPLES))


def test_vulnerability_is_named_with_the_version_that_ends_it() -> None:
    report = {
        "dependencies": [
            {"name": "good", "version": "1", "vulns": []},
            {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]},
            {"name": "worse", "version": "3", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]},
            {"name": "unknown", "skip_reason": "not found"},
        ]
    }
    assert audits.judge(report) == (["bad 2: PYSEC-1, fixed in 2.1", "worse 3: PYSEC-2, fixed in no version"], 1)


def test_every_locked_package_is_audited() -> None:
    names = {requirement.partition("==")[0] for requirement in audits.locked()}
    assert {"asyncpg", "litestar", "cryptography", "pytest"} <= names
    assert "payments-platform" not in names


@pytest.mark.parametrize("program", ["", "import sys; sys.exit('no route to host')"])
def test_index_that_is_not_reachable_is_one_sentence(program: str) -> None:
    faults, remark = audits.audit(("python", "-c", program))
    assert (faults, remark[:11]) == ([], "not audited")
