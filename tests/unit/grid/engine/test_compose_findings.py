"""Each check of a definition finds what it is for, and is silent otherwise."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import captured
import pytest

from migrid.grid.application import Container, Definition, Finding, Image, Level, Tree, TreeKind, Wishes
from migrid.grid.compose.findings import CHECKS, Subject, findings
from migrid.grid.docker.inspect import container

DIRECTORY = Path("/srv/shop")
ANONYMOUS = "0" * 63


def made(service: str = "web", number: int = 1, **changes: Any) -> Container:
    running = Container(f"id{number}", f"shop-{service}-{number}", service, number, "sha256:1", "web:1", "running")
    return dataclasses.replace(running, **changes)


def subject(settings: dict[str, Any] | None = None, **changes: Any) -> Subject:
    """An application with one service `web` about which there is nothing to say."""
    model = {"services": {"web": settings or {}}, **changes.pop("model", {})}
    quiet = Subject(
        definition=Definition("shop", DIRECTORY, (DIRECTORY / "compose.yaml",), (DIRECTORY / ".env",)),
        managed=False,
        model=model,
        containers=(made(),),
        trees=(),
        images=(Image("sha256:1", "web:1", ("web",), (), 1, "amd64"),),
        wishes=Wishes(),
    )
    return dataclasses.replace(quiet, **changes)


def found(settings: dict[str, Any] | None = None, **changes: Any) -> list[tuple[str, str]]:
    return [(item.check, item.level.value) for item in findings(subject(settings, **changes))]


def said(settings: dict[str, Any] | None = None, **changes: Any) -> Finding:
    (only,) = findings(subject(settings, **changes))
    return only


def bind(source: str) -> dict[str, Any]:
    return {"volumes": [{"type": "bind", "source": source, "target": "/x"}]}


def volume(**settings: Any) -> dict[str, Any]:
    return {"volumes": {"data": {"name": "shop_data", **settings}}}


USES_VOLUME = {"volumes": [{"type": "volume", "source": "data", "target": "/x"}]}


def test_nothing_is_said_of_a_plain_application() -> None:
    plain = {"image": "web:1", "restart": "always", "ports": [{"target": 80, "published": "80"}], **bind("/srv/shop/a")}
    assert found(plain, model={"networks": {"default": {"name": "shop_default"}}}) == []


def test_every_finding_has_a_text_and_every_block_a_remedy() -> None:
    for item in findings(captured_subject()):
        assert item.text.endswith(".")
        assert item.remedy or item.level is not Level.BLOCKS


def captured_subject() -> Subject:
    containers = [item for item in captured.data("containers") if item["Name"] != "/shop-run"]
    return subject(model=captured.data("model"), containers=tuple(map(container, containers)))


def test_what_is_found_in_the_shop() -> None:
    assert [(item.check, item.level.value) for item in findings(captured_subject())] == [
        *[("bind_mounts", "blocks"), ("bind_mounts", "warns")],
        *[("images", "blocks")] * 5,
        *[("ports", "warns"), ("networks", "ok"), ("container_names", "ok"), ("profiles", "ok")],
    ]


@pytest.mark.parametrize("directory", ["/", "/root", "/home", "/etc", "/var/lib"])
def test_a_directory_of_the_system_does_not_travel(directory: str) -> None:
    definition = Definition("shop", Path(directory), (Path(directory, "compose.yaml"),))
    assert found(definition=definition) == [("project_directory", "blocks")]


def test_a_home_directory_does_not_travel() -> None:
    homes = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
    home = next((Path(fields[5]) for fields in homes if 1000 <= int(fields[2]) < 65534), Path("/root"))
    assert found(definition=Definition("shop", home, ())) == [("project_directory", "blocks")]
    assert found(definition=Definition("shop", home / "shop", ())) == []


@pytest.mark.parametrize("field", ["files", "env_files"])
def test_the_definition_is_in_its_directory(field: str) -> None:
    outside = dataclasses.replace(subject().definition, **{field: (Path("/etc/shop.yaml"),)})
    assert found(definition=outside) == [("definition_files", "blocks")]


def test_what_the_grid_gives_a_managed_application_is_no_part_of_it() -> None:
    files = (DIRECTORY / "compose.yaml", DIRECTORY.parent / "override.json")
    definition = dataclasses.replace(subject().definition, files=files)
    assert found(definition=definition, managed=True) == []
    assert found(definition=definition, managed=False) == [("definition_files", "blocks")]


def test_without_containers_the_images_are_unknown() -> None:
    assert found(containers=()) == [("containers", "blocks")]


def test_a_container_that_failed_is_named() -> None:
    failed = made("job", state="exited", exit_code=1)
    assert said(containers=(made(), failed)).text.startswith("shop-job-1 does not run (exit status 1)")
    assert found(containers=(made(), made("job", state="exited", exit_code=0))) == []


def test_of_a_stopped_application_no_exit_status_is_a_surprise() -> None:
    assert found(containers=(made(state="exited", exit_code=143),)) == []


@pytest.mark.parametrize("change", [{"health": "unhealthy"}, {"state": "restarting"}])
def test_a_container_that_is_not_well_is_named(change: dict[str, str]) -> None:
    assert found(containers=(made("db"), made(**change))) == [("containers", "warns")]
    assert found(containers=(made(health="starting"),)) == []


@pytest.mark.parametrize(
    ("source", "level"),
    [
        ("/opt/pictures", "blocks"),
        ("/srv", "blocks"),
        ("/srv/shop2", "blocks"),
        ("/etc", "blocks"),
        ("/etc/localtime", "warns"),
        ("/var/run/docker.sock", "warns"),
        ("/dev/snd", "warns"),
        ("/proc", "warns"),
        ("/srv/shop", None),
        ("/srv/shop/www", None),
    ],
)
def test_bind_mounts(source: str, level: str | None) -> None:
    assert found(bind(source)) == ([("bind_mounts", level)] if level else [])


@pytest.mark.parametrize(
    ("listed", "silent"), [("/opt/pictures", True), ("/opt", True), ("/opt/pic", False), ("/opt/pictures/old", False)]
)
def test_the_operator_knows_what_is_on_every_grid(listed: str, silent: bool) -> None:
    assert bool(found(bind("/opt/pictures"), wishes=Wishes(present_everywhere=(listed,)))) is not silent


@pytest.mark.parametrize("kind", ["secrets", "configs"])
@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({"file": "/srv/shop/secret"}, None),
        ({"file": "/etc/secret"}, "blocks"),
        ({"external": True}, "blocks"),
        ({"environment": "PASSWORD"}, "warns"),
        ({"content": "text"}, None),
    ],
)
def test_secrets_and_configs(kind: str, settings: dict[str, Any], level: str | None) -> None:
    used = found({kind: [{"source": "key", "target": "/x"}]}, model={kind: {"key": settings}})
    assert used == ([("secrets", level)] if level else [])
    assert found({}, model={kind: {"key": settings}}) == []


def test_an_image_that_is_gone_cannot_travel() -> None:
    assert found(images=()) == [("images", "blocks")]


def test_an_image_by_digest_has_no_name_on_the_target() -> None:
    image = Image("sha256:1", "web@sha256:2", ("web",), (), 1, "amd64")
    assert found(images=(image,)) == [("images", "ok")]


def anonymous(service: str = "web", number: int = 1) -> Tree:
    middle = f"{service}_{number}" if number > 1 else service
    labels = {"mig.mounted": f"{service}:/x"}
    return Tree(f"anonymous_{middle}_x", TreeKind.VOLUME, f"{ANONYMOUS}{number}", labels=labels)


def test_an_anonymous_volume_gets_a_name() -> None:
    assert found(trees=(anonymous(),)) == [("anonymous_volumes", "ok")]
    named = Tree("anonymous_web_x", TreeKind.VOLUME, "shop_anonymous_web_x")
    assert found(trees=(named,)) == []


def test_anonymous_volumes_of_a_scaled_service_cannot_get_names() -> None:
    trees = (anonymous(number=2), anonymous())
    assert found(containers=(made(), made(number=2)), trees=trees) == [("anonymous_volumes", "blocks")] * 2
    assert found(containers=(made(), made("db"), made("db", number=2)), trees=(anonymous(),)) == [
        ("anonymous_volumes", "ok")
    ]


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({}, None),
        ({"driver_opts": {"type": "tmpfs", "device": "tmpfs"}}, "ok"),
        ({"driver_opts": {"type": "nfs", "device": ":/export", "o": "addr=192.0.2.1"}}, "blocks"),
        ({"driver_opts": {"type": "none", "o": "bind", "device": "/mnt/x"}}, "blocks"),
        ({"driver": "rclone"}, "blocks"),
        ({"external": True}, "blocks"),
    ],
)
def test_volumes(settings: dict[str, Any], level: str | None) -> None:
    assert found(USES_VOLUME, model=volume(**settings)) == ([("volumes", level)] if level else [])
    assert found({}, model=volume(**settings)) == []


def test_an_external_volume_that_the_engine_keeps_is_copied() -> None:
    tree = Tree("data", TreeKind.VOLUME, "shop_data", external=True)
    assert found(USES_VOLUME, model=volume(external=True), trees=(tree,)) == [("volumes", "warns")]


@pytest.mark.parametrize("listed", ["data", ":/export"])
def test_a_volume_may_be_the_same_on_every_grid(listed: str) -> None:
    shared = volume(driver_opts={"type": "nfs", "device": ":/export"})
    assert found(USES_VOLUME, model=shared, wishes=Wishes(present_everywhere=(listed,))) == []


def test_what_the_engine_says_of_a_volume_counts_more_than_the_definition() -> None:
    tree = Tree("data", TreeKind.VOLUME, "shop_data", external=True, driver="rclone")
    assert "rclone" in said(USES_VOLUME, model=volume(external=True), trees=(tree,)).text


def test_a_volume_cannot_be_called_as_the_project_directory_is() -> None:
    uses = {"volumes": [{"type": "volume", "source": "project", "target": "/x"}]}
    assert found(uses, model={"volumes": {"project": {"name": "shop_project"}}}) == [("volumes", "blocks")]


@pytest.mark.parametrize(
    ("port", "level"),
    [
        ({"published": "80"}, None),
        ({}, "warns"),
        ({"published": "80", "host_ip": "127.0.0.1"}, None),
        ({"published": "80", "host_ip": "::"}, None),
        ({"published": "80", "host_ip": "192.0.2.1"}, "warns"),
    ],
)
def test_ports(port: dict[str, str], level: str | None) -> None:
    assert found({"ports": [{"target": 80, **port}]}) == ([("ports", level)] if level else [])


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({"external": True}, "warns"),
        ({"driver": "macvlan"}, "warns"),
        ({"driver": "bridge"}, None),
        ({"ipam": {"config": [{"subnet": "172.31.9.0/24"}]}}, "ok"),
        ({"ipam": {}}, None),
    ],
)
def test_networks(settings: dict[str, Any], level: str | None) -> None:
    model = {"networks": {"net": {"name": "shop_net", **settings}}}
    assert found({"networks": {"net": None}}, model=model) == ([("networks", level)] if level else [])
    assert found({}, model=model) == []


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({"privileged": True}, "warns"),
        ({"network_mode": "host"}, "warns"),
        ({"pid": "host"}, "warns"),
        ({"ipc": "host"}, "warns"),
        ({"network_mode": "service:db"}, None),
        ({"network_mode": "container:vpn"}, "blocks"),
        ({"volumes_from": ["container:other"]}, "blocks"),
        ({"volumes_from": ["db:ro"]}, None),
        ({"external_links": ["other:alias"]}, "blocks"),
        ({"devices": [{"source": "/dev/ttyUSB0"}]}, "warns"),
        ({"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}}, "warns"),
        ({"deploy": {"resources": {"limits": {"cpus": "1"}}}}, None),
        ({"container_name": "shop"}, "ok"),
    ],
)
def test_ties_to_the_host_and_to_others(settings: dict[str, Any], level: str | None) -> None:
    assert [item for _, item in found(settings)] == ([level] if level else [])


def test_services_without_containers_do_not_travel() -> None:
    model = {"services": {"web": {}, "job": {"privileged": True}}}
    assert found(model=model) == [("profiles", "ok")]
    assert "job" in said(model=model).text


def test_a_first_process_that_ignores_the_signal_costs_the_timeout() -> None:
    assert found(containers=(made(ignores_term=True),)) == [("stopping", "warns")]


def test_the_name_of_a_check_is_that_of_its_function() -> None:
    checks = {check.__name__ for check in CHECKS}
    assert {item.check for item in findings(captured_subject())} <= checks
