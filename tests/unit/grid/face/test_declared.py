"""Entries of `grid_applications`: what is accepted, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrid.grid.applications.declared import Declared, Wanted, compose_files, parse
from migrid.grid.errors import DefinitionError


def test_an_entry_in_full() -> None:
    entry = {
        "name": "shop",
        "directory": "/srv/shop",
        "files": ["compose.yaml", "extra.yaml"],
        "properties": {"PORT": 8080},
        "state": "stopped",
    }
    assert parse([entry]) == [
        Declared("shop", Wanted.STOPPED, Path("/srv/shop"), ("compose.yaml", "extra.yaml"), {"PORT": "8080"})
    ]


def test_a_declaration_with_a_directory_is_complete() -> None:
    assert parse([{"name": "shop", "directory": "/srv/shop"}])[0].properties == {}
    assert parse([{"name": "shop", "state": "stopped"}])[0].properties is None


def test_every_wrong_entry_is_named_and_no_value_is_shown() -> None:
    entries = [
        {"name": "Shop"},
        {"name": "blog", "stat": "started"},
        {"name": "wiki", "state": "running"},
        {"directory": "/x"},
        "text",
        {"name": "mail", "properties": {"A B": "hidden"}},
        {"name": "news", "files": ["../compose.yaml"]},
        {"name": "twice"},
        {"name": "twice"},
    ]
    with pytest.raises(DefinitionError) as caught:
        parse(entries, "grid_applications")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("grid_applications[0] (Shop): 'Shop' cannot name an application")
    assert lines[1] == "grid_applications[1] (blog): the field 'stat' is unknown; did you mean state?"
    assert lines[2].endswith("state 'running' is not accepted; give one of present, started, stopped, absent")
    assert lines[3] == "grid_applications[3]: has no name"
    assert lines[4] == "grid_applications[4]: is not a mapping; write name: … and directory: …"
    assert "'A B' cannot name a property" in lines[5]
    assert lines[6].endswith("'../compose.yaml' is not below the directory of the application")
    assert lines[7] == "grid_applications: twice is declared twice"
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["compose.yaml"], ("compose.yaml",)),
        (["docker-compose.yml"], ("docker-compose.yml",)),
        (["compose.yaml", "docker-compose.yml"], ("compose.yaml",)),
        (["compose.yml", "compose.override.yml"], ("compose.yml", "compose.override.yml")),
        (["docker-compose.yml", "docker-compose.override.yml"], ("docker-compose.yml", "docker-compose.override.yml")),
    ],
)
def test_compose_files_are_those_that_compose_finds(tmp_path: Path, names: list[str], found: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert compose_files(tmp_path, ()) == found


def test_a_directory_without_compose_files(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"has no Compose file; one of compose\.yaml"):
        compose_files(tmp_path, ())
    with pytest.raises(DefinitionError, match=r"has no file prod\.yaml"):
        compose_files(tmp_path, ["prod.yaml"])
    with pytest.raises(DefinitionError, match="is no directory"):
        compose_files(tmp_path / "nowhere", ())
