"""The file grid_info as owners write it, and as they get it wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrid.migctl.errors import GridInfoError
from migrid.migctl.grid_info import Address, GridEntry, parse, read

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
GOOD = f"""
# where the shop can be
grid-a:
  controller: 192.0.2.11
  host_key: {KEY}
grid-b:
  controller: b.example.org:2222
  host_key: {KEY}
  user: movers
  monitor: "[2001:db8::1]"
  app_config:
    SHOP_PORT: 8090
    SHOP_OPEN: NO
    SHOP_NAME: '"Ø" $x'
    SHOP_NOTE:
"""


def problems(text: str) -> list[str]:
    with pytest.raises(GridInfoError) as error:
        parse(text.encode(), "grid_info")
    return str(error.value).splitlines()


def entry(**changes: str) -> str:
    fields = {"controller": "192.0.2.1", "host_key": KEY} | changes
    return "grid-a:\n" + "".join(f"  {name}: {value}\n" for name, value in fields.items() if value)


def test_a_good_file() -> None:
    given = {"SHOP_PORT": "8090", "SHOP_OPEN": "NO", "SHOP_NAME": '"Ø" $x', "SHOP_NOTE": ""}
    assert parse(GOOD.encode(), "grid_info") == {
        "grid-a": GridEntry("grid-a", Address("192.0.2.11", 22), KEY),
        "grid-b": GridEntry("grid-b", Address("b.example.org", 2222), KEY, "movers", "2001:db8::1", given),
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "null", "---\n"])
def test_an_empty_file_is_an_error(text: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("grid_info names no grid; give at least")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- grid-a", ["grid_info: this is not a mapping of names of grids"]),
        ("grid-a: x", ["grid_info, line 1, grid-a: this is not a mapping with controller, host_key"]),
        ("grid-a:", ["line 1, grid-a: controller is missing", "grid-a: host_key is missing; give a public key"]),
        (entry() + entry(controller="192.0.2.2"), ["line 4: grid-a is there already, in line 1."]),
        (entry(port="22"), ["line 4, grid-a, port: there is no such field; there are controller, host_key"]),
        (entry() + "  controller: x\n", ["line 4: controller is there already, in line 2."]),
        (entry(controller="-oProxyCommand=id"), ["line 2, grid-a, controller: '-oProxyCommand=id' is not accepted"]),
        (entry(controller="192.0.2.1:70000"), ["controller: '192.0.2.1:70000' is not accepted; give the host name"]),
        (entry(controller="a b"), ["controller: 'a b' is not accepted"]),
        (entry(controller="[192.0.2.1]"), ["controller: '' is not accepted"]),
        (entry(host_key="AAAA"), ["line 3, grid-a, host_key: 'AAAA' is not accepted; give a public key"]),
        (entry(host_key=f'"{KEY}\\n* {KEY}"'), ["host_key"]),
        (entry(user="root;id"), ["user: 'root;id' is not accepted; give the account"]),
        (entry(monitor=":80"), ["monitor: ':80' is not accepted"]),
        (
            entry(monitor="b.example.org:8443"),
            ["monitor: 'b.example.org:8443' is not accepted"],
        ),
        (entry(app_config="[x]"), ["app_config: this is not a mapping of properties to values"]),
        (entry(app_config="{A B: hidden}"), ["app_config: 'A B' cannot name a property"]),
        (entry(app_config="{A: [hidden]}"), ["app_config: The property A is a list; give text or a number."]),
        (entry().replace("grid-a", "grid a"), ["line 1, grid a: 'grid a' cannot name a grid"]),
        (entry().replace("grid-a", "? [x]\n"), ["a name is text"]),
        (entry() + entry().replace("grid-a", "grid-b"), ["grid-a and grid-b have the same controller"]),
        (entry() + entry(controller="192.0.2.1:22").replace("grid-a", "grid-b"), ["have the same controller"]),
        ("grid-a: {", ["grid_info, line 1: this is not YAML: "]),
        ("grid-a: {}\n  b: 1\n", ["line 2: this is not YAML: "]),
        ("a: 1\n--- \nb: 2\n", ["this is not YAML: but found another document"]),
        ("\0", ["grid_info: this is not YAML in UTF-8: "]),
        ("&x [*x]", ["this is not a mapping"]),
        ("grid-a: &x {app_config: *x, controller: h, host_key: *x}", ["The property app_config is a list", "host_key"]),
        ("[" * 5000, ["this is not YAML"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, words: list[str]) -> None:
    found = problems(text)
    assert len(found) == len(words), found
    for problem, word in zip(found, words, strict=True):
        assert word in problem
        assert "hidden" not in problem


def test_everything_wrong_is_said_at_once() -> None:
    text = entry(controller="a b", user="Root") + "grid-b:\n  host_key: x\n"
    assert [problem.partition(": ")[0] for problem in problems(text)] == [
        "grid_info, line 2, grid-a, controller",
        "grid_info, line 4, grid-a, user",
        "grid_info, line 6, grid-b, host_key",
        "grid_info, line 5, grid-b",
    ]


def test_a_file_that_is_not_there_or_endless(tmp_path: Path) -> None:
    with pytest.raises(GridInfoError, match=r"grid_info cannot be read: No such file .* docs/migctl\.md"):
        read(tmp_path / "grid_info")
    (tmp_path / "grid_info").write_bytes(b" " * (1 << 21))
    with pytest.raises(GridInfoError, match="more than 1 MiB"):
        read(tmp_path / "grid_info")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_anything_is_read_or_refused(content: bytes) -> None:
    with suppress(GridInfoError):
        assert parse(content, "grid_info")


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,9}", fullmatch=True), st.text("ab '\"$\\:{}[]#&*!|>%@`,Ø-")))
def test_properties_of_any_text_are_kept(wanted: dict[str, str]) -> None:
    found = parse(entry(app_config=json.dumps(wanted)).encode(), "grid_info")
    assert found["grid-a"].app_config == wanted
