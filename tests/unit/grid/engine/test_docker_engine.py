"""What the engine is asked to do."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import captured
import pytest
from standin import StandIn

from migrid.grid.application import Definition, Tree, TreeKind
from migrid.grid.docker.engine import DockerEngine
from migrid.grid.errors import DefinitionError, EngineError, HookError

DIRECTORY = Path("/srv/shop")
DEFINITION = Definition(
    "shop", DIRECTORY, (DIRECTORY / "compose.yaml",), services=("db", "worker"), scale={"worker": 2}
)
VOLUME = Tree("database", TreeKind.VOLUME, "shop_database", labels={"mig.application": "shop"})
CONTAINERS = captured.data("containers")
IDS = {item["Name"].lstrip("/"): item["Id"] for item in CONTAINERS}
AWAY = {"errors": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "status": 1}


def engine(directory: Path, answers: dict[str, Any]) -> tuple[DockerEngine, StandIn]:
    docker = StandIn(directory, answers)
    return DockerEngine(cli=docker.cli), docker


def with_containers(*containers: Any) -> dict[str, Any]:
    found = containers or CONTAINERS
    return {
        "ps --all": {"output": "\n".join(item["Id"] for item in found)},
        "inspect --type container": {"output": json.dumps(found)},
        "top": {"output": captured.text("top_handles.txt")},
    }


def work(docker: StandIn) -> list[str]:
    """The commands that change something."""
    asked = ("ps ", "inspect ", "top ", "network ls")
    return [command for command in docker.commands if not command.startswith(asked)]


def test_the_containers_of_a_project_are_those_that_last(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, with_containers())
    found = shop.containers("shop")
    assert [item.name for item in found] == ["shop-db-1", "shop-tool", "shop-web-1", "shop-worker-1", "shop-worker-2"]
    assert docker.commands[0].endswith("--filter label=com.docker.compose.project=shop")


def test_a_process_that_is_known_to_handle_the_signal_is_not_asked_about_again(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, with_containers(captured.container("shop-db-1")))
    assert not shop.containers("shop")[0].ignores_term
    shop.containers("shop")
    assert len([command for command in docker.commands if command.startswith("top")]) == 1


def test_a_process_that_is_not_is_asked_about_again(tmp_path: Path) -> None:
    answers = with_containers(captured.container("shop-worker-1"))
    shop, docker = engine(tmp_path, {**answers, "top": {"output": captured.text("top_ignores.txt")}})
    assert [shop.containers("shop")[0].ignores_term for _ in range(2)] == [True, True]
    assert len([command for command in docker.commands if command.startswith("top")]) == 2


def test_projects_by_their_labels(tmp_path: Path) -> None:
    shop, _ = engine(tmp_path, with_containers())
    assert list(shop.projects()) == ["shop"]
    assert shop.projects()["shop"].services == ("db", "tool", "web", "worker")


def test_the_model_has_single_dollars(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, {"config": {"output": captured.text("model.json")}})
    model: Any = shop.resolve(DEFINITION)
    assert model["services"]["web"]["environment"]["PRICE"] == "5$"
    assert docker.commands[0].endswith("--profile * config --format json")


def test_a_definition_that_compose_refuses(tmp_path: Path) -> None:
    words = "services.a Additional property imagee is not allowed"
    shop, _ = engine(tmp_path, {"config": {"errors": words, "status": 15}})
    with pytest.raises(DefinitionError, match=rf"shop in /srv/shop: {words}"):
        shop.resolve(DEFINITION)


def test_the_variables_of_a_definition(tmp_path: Path) -> None:
    model = {"ports": ["${PORT:-${OTHER}}:80"], "environment": {"A": "$B", "C": "5$$ $${NOT}"}, "x": [{"y": "${LIST}"}]}
    shop, _ = engine(tmp_path, {"--no-interpolate": {"output": json.dumps(model)}})
    assert shop.variables(DEFINITION) == ("B", "LIST", "OTHER", "PORT")


def test_start_makes_and_pulls_nothing_new(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, {})
    shop.start(DEFINITION)
    assert docker.commands[0].endswith(
        "--profile * up --detach --no-build --pull never --no-recreate --scale worker=2 db worker"
    )


def test_without_services_profiles_stay_as_they_are(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, {})
    shop.start(dataclasses.replace(DEFINITION, services=(), scale={}))
    assert docker.commands[0].endswith("up --detach --no-build --pull never --no-recreate")
    assert "--profile" not in docker.commands[0]


def test_apply_makes_some_services_anew(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, {})
    shop.apply(DEFINITION, ["db"])
    first, second = docker.commands
    assert first.endswith("--pull never --remove-orphans --scale worker=2 db worker")
    assert second.endswith("--pull never --force-recreate --no-deps db")


def test_stop_respects_dependencies_and_takes_all_containers(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, with_containers())
    shop.stop("shop", 5.4)
    first, last = (command.split() for command in work(docker))
    assert first[:3] == last[:3] == ["stop", "-t", "5"]
    assert set(first[3:]) == {IDS[name] for name in IDS if name != "shop-db-1"}
    assert last[3:] == [IDS["shop-db-1"]]


def test_stop_leaves_each_container_its_own_time(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, with_containers(captured.container("shop-db-1")))
    shop.stop("shop", None)
    assert work(docker) == [f"stop {IDS['shop-db-1']}"]


def test_what_does_not_run_is_not_stopped(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, with_containers(captured.container("shop-db-1", State__Running=False)))
    shop.stop("shop", 5)
    shop.kill("shop")
    assert work(docker) == []


def test_kill_waits_for_nothing(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, with_containers(captured.container("shop-db-1")))
    shop.kill("shop")
    assert work(docker) == [f"stop -t 0 {IDS['shop-db-1']}"]


def test_one_command_for_each_restart_policy(tmp_path: Path) -> None:
    present = {"output": json.dumps([{"Id": name} for name in "abc"]), "errors": "No such container: d", "status": 1}
    shop, docker = engine(tmp_path, {"inspect": present})
    shop.set_restart_policies({"b": "no", "a": "no", "c": "on-failure:3", "d": "always"})
    assert work(docker) == ["update --restart no a b", "update --restart on-failure:3 c"]
    shop.set_restart_policies({})
    assert len(work(docker)) == 2


def test_remove_takes_containers_and_the_networks_that_nobody_else_uses(tmp_path: Path) -> None:
    networks = captured.data("networks")
    used = {**networks[0], "Id": "used", "Containers": {"stranger": {"Name": "backup"}}}
    free = {**networks[0], "Id": "free", "Containers": {}}
    answers = {
        **with_containers(captured.container("shop-db-1")),
        "network ls": {"output": "used\nfree\n"},
        "inspect --type network": {"output": json.dumps([used, free])},
    }
    shop, docker = engine(tmp_path, answers)
    shop.remove("shop")
    assert work(docker) == [f"rm --force --volumes {IDS['shop-db-1']}", "network rm free"]


def test_what_is_not_there_needs_no_removal(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, {"inspect": {"output": "[]"}})
    shop.remove("shop")
    shop.remove_tree(VOLUME)
    shop.remove_images(["sha256:1"])
    assert work(docker) == []


def test_a_volume_is_made_with_its_labels(tmp_path: Path) -> None:
    missing = {"output": "[]", "errors": "Error: No such volume: shop_database", "status": 1}
    shop, docker = engine(tmp_path, {"inspect": missing})
    shop.make_tree(VOLUME)
    assert work(docker) == ["volume create --driver local --label mig.application=shop -- shop_database"]


def volume(**labels: str) -> dict[str, Any]:
    return {"inspect": {"output": json.dumps([{"Name": "shop_database", "Labels": labels or None}])}}


def test_a_volume_of_the_application_may_be_there(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, volume(**{"mig.application": "shop", "more": "x"}))
    shop.make_tree(VOLUME)
    assert work(docker) == []


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"mig.application": "other", "com.docker.compose.project": "other"}, "belongs to the application other"),
        ({}, "was not made for this application"),
    ],
)
def test_a_volume_of_somebody_else_is_left_alone(tmp_path: Path, labels: dict[str, str], words: str) -> None:
    shop, docker = engine(tmp_path, volume(**labels))
    with pytest.raises(EngineError, match=words):
        shop.make_tree(VOLUME)
    assert work(docker) == []


def test_a_tree_without_labels_is_nobodys(tmp_path: Path) -> None:
    shop, _ = engine(tmp_path, volume())
    with pytest.raises(EngineError, match="was not made for this application"):
        shop.make_tree(dataclasses.replace(VOLUME, labels={}))


def test_a_directory_comes_and_goes(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, {})
    tree = Tree("project", TreeKind.DIRECTORY, str(tmp_path / "a" / "project"))
    for _ in range(2):
        shop.make_tree(tree)
    assert Path(tree.location).stat().st_mode & 0o777 == 0o700
    (Path(tree.location) / "file").touch()
    for _ in range(2):
        shop.remove_tree(tree)
    assert not Path(tree.location).exists()
    assert docker.commands == []


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    shop, _ = engine(tmp_path, {})
    with pytest.raises(EngineError, match=r"Cannot make the directory .*/a/project: Not a directory"):
        shop.make_tree(Tree("project", TreeKind.DIRECTORY, str(tmp_path / "a" / "project")))


def test_values_for_a_command_are_in_no_process_list(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, {})
    shop.run("id", ["hook", "--now"], {"MIG_MOVE": "secret value\nof two lines"}, 5)
    assert docker.asked[0].arguments == ["exec", "--env", "MIG_MOVE", "id", "hook", "--now"]
    assert docker.asked[0].environment["MIG_MOVE"] == "secret value\nof two lines"


def test_a_failed_command_is_shown_with_the_end_of_its_output(tmp_path: Path) -> None:
    shop, _ = engine(tmp_path, {"exec": {"output": "first\n" * 50, "errors": "the reason\n", "status": 3}})
    with pytest.raises(HookError, match="failed with exit status 3") as caught:
        shop.run("id", ["hook"], {}, 5)
    assert str(caught.value).endswith("the reason")
    assert str(caught.value).count("first") < 12


def test_a_command_has_its_time(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    shop, _ = engine(tmp_path, {})
    program.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    with pytest.raises(HookError, match=r"'hook' in container abc did not end within 0\.1 seconds"):
        shop.run("abc", ["hook"], {}, 0.1)


def test_an_engine_that_is_away_is_no_failed_command(tmp_path: Path) -> None:
    shop, _ = engine(tmp_path, {"exec": AWAY})
    with pytest.raises(EngineError):
        shop.run("id", ["hook"], {}, 5)


def test_images_are_saved_by_id(tmp_path: Path) -> None:
    image = captured.data("images")[0]
    answers = {"inspect": {"output": json.dumps([image])}, "save": {"errors": "no space left on device", "status": 1}}
    shop, docker = engine(tmp_path, answers)
    with pytest.raises(EngineError, match="no space left on device"):
        shop.save_images([image["Id"], *image["RepoTags"]], frozenset(), io.BytesIO())
    assert work(docker) == [f"save {image['Id']}"]


def test_an_archive_without_an_end_is_an_error_though_the_engine_says_nothing(tmp_path: Path) -> None:
    image = captured.data("images")[0]
    shop, _ = engine(tmp_path, {"inspect": {"output": json.dumps([image])}, "save": {"output": ""}})
    with pytest.raises(EngineError, match="is not complete"):
        shop.save_images([image["Id"]], frozenset(), io.BytesIO())


def test_an_image_that_is_gone_cannot_be_saved(tmp_path: Path) -> None:
    shop, _ = engine(tmp_path, {"inspect": {"output": "[]"}})
    with pytest.raises(EngineError, match="The image shop:1 is not on this grid"):
        shop.save_images(["shop:1"], frozenset(), io.BytesIO())


def test_images_by_id_and_reference(tmp_path: Path) -> None:
    shop, _ = engine(tmp_path, {**with_containers(), "inspect --type image": {"output": captured.text("images.json")}})
    found = shop.images(shop.containers("shop"))
    assert {item.reference: item.services for item in found} == {
        "busy:1": ("db", "tool", "worker"),
        "shopweb:1": ("web",),
    }


def test_only_references_that_an_image_can_have_are_given(tmp_path: Path) -> None:
    shop, docker = engine(tmp_path, {})
    shop.tag_image("sha256:1", "shop:1")
    shop.tag_image("sha256:1", "shop@sha256:" + "0" * 64)
    assert docker.commands == ["tag sha256:1 shop:1"]


def test_an_image_that_somebody_uses_stays(tmp_path: Path) -> None:
    images = captured.data("images")
    unused = {**images[0], "Id": "sha256:unused", "RepoTags": ["old:1", "old:2"]}
    nameless = {**unused, "Id": "sha256:nameless", "RepoTags": None}
    answers = {**with_containers(), "inspect --type image": {"output": json.dumps([images[0], unused, nameless])}}
    shop, docker = engine(tmp_path, answers)
    shop.remove_images(["x"])
    assert work(docker) == ["image rm old:1 old:2", "image rm sha256:nameless"]


@pytest.mark.parametrize(
    ("words", "silent"),
    [("conflict: unable to delete: image has dependent child images", True), ("permission denied", False)],
)
def test_an_image_that_others_are_built_on_stays(tmp_path: Path, words: str, silent: bool) -> None:
    image = {**captured.data("images")[0], "Id": "sha256:unused"}
    answers = {
        **with_containers(),
        "inspect --type image": {"output": json.dumps([image])},
        "image rm": {"errors": words, "status": 1},
    }
    shop, _ = engine(tmp_path, answers)
    if silent:
        shop.remove_images(["x"])
    else:
        with pytest.raises(EngineError, match=words):
            shop.remove_images(["x"])
