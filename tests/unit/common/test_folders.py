"""Where tests are: those of `services/<service>/<subject>` in `tests/unit` and `tests/integration`, under the same names."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
SERVICES = ("api", "ledger", "gateway", "notifier")
OF_SEVERAL = {
    "completeness": "the fields of resources of several subjects",
    "load": "how many requests the api takes at once, whatever they are about",
    "members_of_partners": "messages about orders and about tenants",
    "model": "the whole ledger beside a model of it",
    "read_only": "every subject while the database takes no writes",
    "retention": "what each subject deletes, and when",
    "row_security": "the limit to one tenant in all tables",
    "service": "the service as a whole, from messages to messages",
}
"""Files of tests beside the folders of subjects, each with the reason; any other is about a module of its name, as `settings`."""


def files_of(service: str) -> set[Path]:
    """Return the files of a service's tests of both kinds, by their names from the folder of the service."""
    folders = [ROOT / "tests" / kind / service for kind in ("unit", "integration")]
    return {file.relative_to(folder) for folder in folders for file in folder.rglob("*.py")}


def names_beside(service: str) -> set[str]:
    """Return what the files of tests are about that are in no folder of a subject."""
    return {
        file.stem.removeprefix("test_")
        for file in files_of(service)
        if file.match("test_*.py") and len(file.parts) == 1
    }


@pytest.mark.parametrize("service", SERVICES)
def test_folder_of_tests_is_a_subject_of_its_service(service: str) -> None:
    folders = {file.parent for file in files_of(service)} - {Path()}
    assert len(folders) > 3
    lost = {str(folder) for folder in folders if not (ROOT / "services" / service / folder / "__init__.py").is_file()}
    assert lost == set(), f"move these tests: the subjects of {service} are in `docs/architecture.md`"


@pytest.mark.parametrize("service", SERVICES)
def test_file_of_tests_beside_folders_is_about_no_single_subject(service: str) -> None:
    folder = ROOT / "services" / service
    modules = {file.stem for file in folder.glob("*.py")} | {"schema"}
    lost = names_beside(service) - modules - OF_SEVERAL.keys()
    assert lost == set(), "move these tests to the folder of their subject"


def test_each_exception_is_needed() -> None:
    assert OF_SEVERAL.keys() <= {name for service in SERVICES for name in names_beside(service)}
