"""What the engine prints becomes records."""

from __future__ import annotations

from pathlib import Path

import captured
import pytest

from migrid.grid.application import Port
from migrid.grid.docker import inspect as docker_inspect
from migrid.grid.docker.inspect import Signals

HANDLES, IGNORES, INIT = (captured.text(f"top_{name}.txt") for name in ("handles", "ignores", "init"))


def test_a_running_container() -> None:
    found = docker_inspect.container(captured.container("shop-db-1"))
    assert (found.name, found.service, found.number, found.image) == ("shop-db-1", "db", 1, "busy:1")
    assert (found.state, found.health, found.exit_code, found.running) == ("running", "healthy", 0, True)
    assert found.restart_policy == "unless-stopped"
    assert found.image_id.startswith("sha256:")
    assert 1_700_000_000 < found.started_at < 2_000_000_000


def test_a_container_that_never_ran() -> None:
    data = captured.container(
        "shop-db-1", State__Status="created", State__Running=False, State__StartedAt="0001-01-01T00:00:00Z"
    )
    found = docker_inspect.container(data)
    assert (found.state, found.running, found.started_at) == ("created", False, 0.0)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"Name": "no", "MaximumRetryCount": 0}, "no"),
        ({"Name": "", "MaximumRetryCount": 0}, "no"),
        ({"Name": "always", "MaximumRetryCount": 0}, "always"),
        ({"Name": "on-failure", "MaximumRetryCount": 0}, "on-failure"),
        ({"Name": "on-failure", "MaximumRetryCount": 3}, "on-failure:3"),
    ],
)
def test_restart_policies_are_in_the_words_that_the_engine_takes(policy: dict[str, object], words: str) -> None:
    data = captured.container("shop-db-1", HostConfig__RestartPolicy=policy)
    assert docker_inspect.container(data).restart_policy == words


def test_ports_of_a_running_container_are_where_they_are_now() -> None:
    assert list(docker_inspect.ports(captured.container("shop-web-1"))) == [
        Port("web", 80, "tcp", 8080),
        Port("web", 81, "udp", 32778, "127.0.0.1"),
    ]


def test_ports_of_a_stopped_container_are_the_fixed_ones() -> None:
    data = captured.container("shop-web-1", State__Running=False, NetworkSettings__Ports={})
    assert list(docker_inspect.ports(data)) == [Port("web", 80, "tcp", 8080)]


def test_a_port_of_both_address_families_is_one() -> None:
    both = [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]  # noqa: S104
    data = captured.container("shop-web-1", NetworkSettings__Ports={"80/tcp": both})
    assert list(docker_inspect.ports(data)) == [Port("web", 80, "tcp", 8080)]


def ignores(name: str, listing: str, **changes: object) -> bool:
    data = captured.container(name, **changes)
    return docker_inspect.container(data, docker_inspect.signals_of(listing, data["State"]["Pid"])).ignores_term


def test_a_first_process_without_a_handler_ignores_the_signal() -> None:
    assert ignores("shop-worker-1", IGNORES)


def test_a_first_process_with_a_handler_does_not() -> None:
    assert not ignores("shop-db-1", HANDLES)


def test_an_init_process_in_the_image_waits_for_signals_without_a_handler() -> None:
    assert not ignores("shop-tool", INIT, HostConfig__Init=None)
    hidden = INIT.replace("do_sigtimedwait.isra.0", "0                     ")
    assert not ignores("shop-tool", hidden, HostConfig__Init=None)


def test_the_signal_that_counts_is_the_one_that_stops_the_container() -> None:
    assert ignores("shop-db-1", HANDLES, Config__StopSignal="SIGQUIT")
    assert not ignores("shop-worker-1", IGNORES, Config__StopSignal="SIGKILL")


def test_the_kernel_only_spares_the_first_process_of_its_own_namespace() -> None:
    assert not ignores("shop-worker-1", IGNORES, HostConfig__PidMode="host")
    assert not ignores("shop-worker-1", IGNORES, HostConfig__Init=True)


def test_nothing_is_claimed_of_a_process_that_is_not_listed() -> None:
    assert docker_inspect.signals_of(IGNORES, 1) is None
    assert docker_inspect.signals_of("", 1) is None
    assert not docker_inspect.container(captured.container("shop-worker-1"), None).ignores_term


@pytest.mark.parametrize(
    ("name", "number"), [("SIGTERM", 15), ("term", 15), ("15", 15), ("SIGRTMIN+3", 37), ("RTMIN", 34), ("SIGX", 0)]
)
def test_signals_by_each_name_that_an_image_may_give(name: str, number: int) -> None:
    assert docker_inspect.signal_number(name) == number


def test_signals_are_numbered_from_one() -> None:
    assert Signals(caught=1 << 14, blocked=0).acts_on(15)
    assert not Signals(caught=1 << 15, blocked=0).acts_on(15)
    assert Signals(caught=0, blocked=1 << 14).acts_on(15)


def test_a_definition_from_labels() -> None:
    found = docker_inspect.definition("shop", captured.data("containers"))
    assert found.directory == Path("/srv/shop")
    assert found.files == (Path("/srv/shop/compose.yaml"),)
    assert found.services == ("db", "tool", "web", "worker")
    assert found.scale == {"worker": 2}


def test_several_files_and_environment_files_keep_their_order() -> None:
    data = captured.container("shop-db-1")
    data["Config"]["Labels"] |= {
        "com.docker.compose.project.config_files": "/srv/shop/b.yaml,/srv/shop/a.yaml",
        "com.docker.compose.project.environment_file": "/srv/shop/z.env,/srv/shop/a.env",
    }
    found = docker_inspect.definition("shop", [data])
    assert found.files == (Path("/srv/shop/b.yaml"), Path("/srv/shop/a.yaml"))
    assert found.env_files == (Path("/srv/shop/z.env"), Path("/srv/shop/a.env"))


def test_the_newest_container_knows_the_definition_best() -> None:
    old, new = captured.container("shop-db-1", Created="2025-01-01T00:00:00Z"), captured.container("shop-web-1")
    old["Config"]["Labels"]["com.docker.compose.project.working_dir"] = "/old"
    assert docker_inspect.definition("shop", [old, new]).directory == Path("/srv/shop")


def test_an_image() -> None:
    data = next(item for item in captured.data("images") if "shopweb:1" in item["RepoTags"])
    found = docker_inspect.image(data, "shopweb:1", ["web", "web"])
    assert (found.id, found.services, found.architecture) == (data["Id"], ("web",), "amd64")
    assert len(found.layers) == 4


def test_a_variant_belongs_to_the_architecture() -> None:
    data = {**captured.data("images")[0], "Architecture": "arm", "Variant": "v7"}
    assert docker_inspect.image(data, "x", ()).architecture == "arm/v7"


def test_chain_ids_are_the_names_in_the_layer_store_of_the_engine() -> None:
    data = next(item for item in captured.data("images") if "shopweb:1" in item["RepoTags"])
    assert [chain[7:19] for chain in docker_inspect.chain_ids(data["RootFS"]["Layers"])] == [
        "38526902f00d",
        "30b92d436cfb",
        "192ac45fcaba",
        "9e1927aee632",
    ]
    assert docker_inspect.chain_ids(()) == ()


def test_only_the_classic_image_store_keeps_layers() -> None:
    assert docker_inspect.keeps_layers(captured.data("info"))
    assert not docker_inspect.keeps_layers({"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]})


def names(waves: list[list[str]]) -> list[list[str]]:
    by_id = {item["Id"]: item["Name"].lstrip("/") for item in captured.data("containers")}
    return [sorted(by_id[key] for key in wave) for wave in waves]


def test_what_others_depend_on_is_stopped_last() -> None:
    assert names(docker_inspect.stop_waves(captured.data("containers"))) == [
        ["shop-run", "shop-tool", "shop-web-1", "shop-worker-1", "shop-worker-2"],
        ["shop-db-1"],
    ]


def test_a_circle_of_dependencies_is_stopped_at_once() -> None:
    web, database = captured.container("shop-web-1"), captured.container("shop-db-1")
    database["Config"]["Labels"]["com.docker.compose.depends_on"] = "web:service_started:true"
    assert names(docker_inspect.stop_waves([web, database])) == [["shop-db-1", "shop-web-1"]]
