"""What an application is on its target."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import captured
import pytest

from migrid.grid.application import Application, Container, Definition, Tree, TreeKind, Wishes
from migrid.grid.compose import description as compose
from migrid.grid.docker.inspect import container

DIRECTORY = Path("/srv/shop")
TARGET = Path("/var/lib/migrid/grid/applications/shop2/project")
COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.volume": "database"}
DATABASE = Tree(
    "database",
    TreeKind.VOLUME,
    "shop_database",
    labels={**COMPOSE, "com.docker.compose.version": "2.26.1", "com.docker.compose.config-hash": "x", "own": "label"},
)
CACHE = Tree(
    "anonymous_web_cache",
    TreeKind.VOLUME,
    "f" * 64,
    labels={"com.docker.volume.anonymous": "", "mig.mounted": "web:/cache"},
)
ARCHIVE = Tree("archive", TreeKind.VOLUME, "company-archive", external=True, labels={"own": "label"})
PROJECT = Tree("project", TreeKind.DIRECTORY, str(DIRECTORY))
IMAGES = {"busy:1": "sha256:b", "shopweb:1": "sha256:w"}


def containers() -> tuple[Container, ...]:
    found = [container(item) for item in captured.data("containers") if item["Name"] != "/shop-run"]
    ids = {"busy:1": "sha256:b", "shopweb:1": "sha256:w"}
    return tuple(dataclasses.replace(item, image_id=ids[item.image]) for item in found)


def shop(*trees: Tree, model: dict[str, Any] | None = None) -> Application:
    resolved = model or captured.data("model")
    definition = Definition("shop", DIRECTORY, (DIRECTORY / "compose.yaml",), (DIRECTORY / ".env",))
    existing = compose.as_existing(definition, resolved, containers())
    return Application(existing, False, resolved, containers(), (PROJECT, *trees), (), Wishes())


def override(application: Application, target_app: str = "shop2", **images: str) -> dict[str, Any]:
    trees = compose.arriving(application, target_app, TARGET)
    return compose.override(application, target_app, trees, {**IMAGES, **images})


def arrived(tree: Tree, target_app: str = "shop2") -> Tree:
    return compose.arriving(shop(tree), target_app, TARGET)[1]


def test_services_are_those_that_have_containers() -> None:
    definition = shop().definition
    assert definition.services == ("db", "tool", "web", "worker")
    assert definition.scale == {"worker": 2}


def test_a_scale_of_one_is_said_where_the_model_wants_more() -> None:
    one = [item for item in containers() if item.number == 1]
    assert compose.as_existing(shop().definition, captured.data("model"), one).scale == {"worker": 1}


def test_without_containers_the_definition_stays_as_it_is() -> None:
    definition = Definition("shop", DIRECTORY, (), services=("web",))
    assert compose.as_existing(definition, {}, ()) == definition


def test_the_environment_file_that_compose_finds_is_named(tmp_path: Path) -> None:
    definition = Definition("shop", tmp_path, ())
    assert compose.as_existing(definition, {}, ()).env_files == ()
    (tmp_path / ".env").touch()
    assert compose.as_existing(definition, {}, ()).env_files == (tmp_path / ".env",)
    named = dataclasses.replace(definition, env_files=(tmp_path / "other.env",))
    assert compose.as_existing(named, {}, ()).env_files == (tmp_path / "other.env",)


def test_the_project_directory_arrives_in_its_place() -> None:
    assert compose.arriving(shop(), "shop2", TARGET) == (dataclasses.replace(PROJECT, location=str(TARGET)),)


def test_a_volume_follows_the_name_of_the_application() -> None:
    found = arrived(DATABASE)
    assert (found.name, found.location) == ("database", "shop2_database")
    assert found.labels == {
        "com.docker.compose.project": "shop2",
        "com.docker.compose.volume": "database",
        "mig.application": "shop2",
        "own": "label",
    }


def test_a_volume_with_a_name_of_its_own_keeps_it() -> None:
    assert arrived(dataclasses.replace(DATABASE, location="precious")).location == "precious"


def test_an_anonymous_volume_gets_a_name_and_no_mark_to_be_pruned() -> None:
    found = arrived(CACHE)
    assert found.location == "shop2_anonymous_web_cache"
    assert "com.docker.volume.anonymous" not in found.labels


def test_an_external_volume_is_nobodys_but_made_for_the_application() -> None:
    found = arrived(ARCHIVE)
    assert (found.location, found.external) == ("company-archive", True)
    assert found.labels == {"own": "label", "mig.application": "shop2"}


def test_the_definition_is_the_same_in_another_place() -> None:
    override_file, properties = TARGET.parent / "override.json", TARGET.parent / "properties.env"
    found = compose.relocated(shop().definition, "shop2", TARGET, override_file, properties)
    assert (found.name, found.directory) == ("shop2", TARGET)
    assert found.files == (TARGET / "compose.yaml", override_file)
    assert found.env_files == (TARGET / ".env", properties)
    assert (found.services, found.scale) == (shop().definition.services, {"worker": 2})
    again = compose.relocated(found, "shop", DIRECTORY, Path("/x/override.json"), Path("/x/properties.env"))
    assert again.files == (DIRECTORY / "compose.yaml", Path("/x/override.json"))
    assert again.env_files == (DIRECTORY / ".env", Path("/x/properties.env"))


def test_a_volume_is_mounted_by_its_new_name_and_not_filled_by_the_image() -> None:
    found = override(shop(DATABASE))
    assert found["volumes"] == {"database": {"name": "shop2_database"}}
    mounts = [{"type": "volume", "source": "database", "target": "/data", "volume": {"nocopy": True}}]
    assert found["services"]["db"] == {"volumes": mounts}


def test_other_mounts_are_none_of_its_business() -> None:
    assert "web" not in override(shop(DATABASE))["services"]


def test_an_anonymous_volume_is_mounted_where_it_was() -> None:
    found = override(shop(CACHE))
    assert found["services"]["web"]["volumes"] == [
        {"type": "volume", "source": "anonymous_web_cache", "target": "/cache", "volume": {"nocopy": True}}
    ]
    assert found["volumes"] == {"anonymous_web_cache": {"name": "shop2_anonymous_web_cache"}}


def test_a_volume_that_was_anonymous_before_an_earlier_move_is_mounted_once() -> None:
    model = captured.data("model")
    mount = {"type": "volume", "source": "anonymous_web_cache", "target": "/cache", "volume": {"nocopy": True}}
    model["services"]["web"]["volumes"].append(mount)
    named = dataclasses.replace(CACHE, location="shop_anonymous_web_cache")
    assert override(shop(named, model=model))["services"]["web"]["volumes"] == [mount]


def test_an_external_volume_stays_external() -> None:
    assert override(shop(ARCHIVE))["volumes"] == {"archive": {"name": "company-archive", "external": True}}


def test_nothing_is_said_where_nothing_differs() -> None:
    assert override(shop()) == {}


def test_an_image_whose_reference_names_another_there_is_named_by_id() -> None:
    found = override(shop(), **{"shopweb:1": "sha256:other"})
    assert found == {"services": {"web": {"image": "sha256:w"}}}


@pytest.mark.parametrize("reference", ["docker.io/library/shopweb:1", "library/shopweb:1"])
def test_a_reference_is_the_same_however_it_is_written(reference: str) -> None:
    model = captured.data("model")
    model["services"]["web"]["image"] = reference
    assert override(shop(model=model)) == {}


@pytest.mark.parametrize("reference", ["shopweb@sha256:" + "0" * 64, "sha256:" + "0" * 64])
def test_a_reference_that_no_image_there_can_have_is_replaced(reference: str) -> None:
    model = captured.data("model")
    model["services"]["web"]["image"] = reference
    assert override(shop(model=model))["services"] == {"web": {"image": "sha256:w"}}


def test_an_image_that_compose_named_after_the_project_is_found_under_the_new_name_or_by_id() -> None:
    model = captured.data("model")
    del model["services"]["web"]["image"]
    assert override(shop(model=model)) == {"services": {"web": {"image": "sha256:w"}}}
    assert override(shop(model=model), **{"shop2-web:latest": "sha256:w"}) == {}
    assert override(shop(model=model), "shop", **{"shop-web:latest": "sha256:w"}) == {}


def test_a_dollar_is_written_as_compose_reads_it() -> None:
    model = captured.data("model")
    model["services"]["db"]["volumes"][0]["target"] = "/data/$x"
    assert override(shop(DATABASE, model=model))["services"]["db"]["volumes"][0]["target"] == "/data/$$x"


def test_fixed_names_and_addresses() -> None:
    model = captured.data("model")
    assert compose.subnets(model) == ["172.31.9.0/24"]
    assert compose.container_names(model["services"]) == ["shop-tool"]
    model["networks"]["fixed"]["external"] = True
    assert compose.subnets(model) == []
