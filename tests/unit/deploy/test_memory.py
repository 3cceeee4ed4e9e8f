"""Data that is thrown away lies in memory where there is room, and is gone with the server or its checkout."""

import shutil
from pathlib import Path

import pytest

from deploy.local.layout import Layout
from deploy.local.native import memory


@pytest.fixture(autouse=True)
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(memory, "MEMORY", folder)
    monkeypatch.setattr(memory, "ROOM_BYTES", 1)
    return folder


def of_checkout(tmp_path: Path, name: str = "checkout", *, profile: str = "test") -> tuple[Layout, Path]:
    """A checkout and where its PostgreSQL looks for its data."""
    layout = Layout(root=tmp_path / name, profile=profile)
    home = layout.home / "postgres"
    home.mkdir(parents=True, exist_ok=True)
    return layout, home / "data"


def test_data_is_in_memory_and_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, data = of_checkout(tmp_path)
    found = memory.link(layout, "postgres", data)
    assert found.is_relative_to(memory.MEMORY)
    found.mkdir()
    monkeypatch.setattr(memory, "ROOM_BYTES", 1 << 62)
    assert memory.link(layout, "postgres", data) == found


def test_data_of_a_server_that_never_started_is_in_memory(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path / "fresh", profile="test")
    data = layout.home / "rabbitmq" / "data"
    assert memory.link(layout, "rabbitmq", data).is_relative_to(memory.MEMORY)
    assert data.is_symlink()


def test_what_must_outlive_the_server_stays_on_disk(tmp_path: Path) -> None:
    layout, data = of_checkout(tmp_path, profile="dev")
    assert memory.link(layout, "postgres", data) == data
    assert not list(memory.MEMORY.iterdir())


@pytest.mark.parametrize("setting", [("ROOM_BYTES", 1 << 62), ("MEMORY", Path("/nowhere/at/all"))], ids=str)
def test_without_room_data_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, object]
) -> None:
    monkeypatch.setattr(memory, *setting)
    layout, data = of_checkout(tmp_path)
    assert memory.link(layout, "postgres", data) == data


def test_data_that_was_lost_with_the_memory_is_begun_anew(tmp_path: Path) -> None:
    layout, data = of_checkout(tmp_path)
    memory.link(layout, "postgres", data).mkdir()
    for place in memory.MEMORY.iterdir():
        shutil.rmtree(place)
    found = memory.link(layout, "postgres", data)
    assert not found.exists()
    found.mkdir()
    assert data.is_dir()


def test_nothing_is_left_once_every_server_is_wiped(tmp_path: Path) -> None:
    layout, _ = of_checkout(tmp_path)
    for server in ("postgres", "rabbitmq"):
        (layout.home / server).mkdir(exist_ok=True)
        memory.link(layout, server, layout.home / server / "data").mkdir()
    memory.wipe(layout, "postgres")
    assert [place.name for place in next(memory.MEMORY.iterdir()).iterdir() if place.is_dir()] == ["rabbitmq"]
    memory.wipe(layout, "rabbitmq")
    assert not list(memory.MEMORY.iterdir())


def test_what_a_removed_checkout_left_is_removed_by_the_next(tmp_path: Path) -> None:
    gone, data = of_checkout(tmp_path, "gone")
    memory.link(gone, "postgres", data).mkdir()
    shutil.rmtree(gone.root)
    layout, data = of_checkout(tmp_path)
    found = memory.link(layout, "postgres", data)
    assert [place.name for place in memory.MEMORY.iterdir()] == [found.parents[1].name]


def test_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, data = of_checkout(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    assert memory.link(layout, "postgres", data) == data
