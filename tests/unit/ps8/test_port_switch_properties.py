"""What owners write, and what it means."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrid.ps8.errors import PropertiesError
from migrid.ps8.properties import ClientAddress, Protocol, from_environment, from_file, parse, text_of

TCP = {"out1_protocol": "tcp", "out1_in_port": "80", "out1_address": "web"}
RANGES = st.tuples(st.integers(1, 65535), st.integers(0, 300)).map(
    lambda drawn: range(drawn[0], min(drawn[0] + drawn[1], 65535) + 1)
)
SEPARATORS = st.sampled_from([" ", ",", ", ", "  ", " ,"])


def refused(**properties: str) -> str:
    with pytest.raises(PropertiesError) as error:
        parse(properties)
    return str(error.value)


@given(st.lists(RANGES, min_size=1, max_size=8), SEPARATORS)
def test_ports_mean_the_same_however_they_are_written(ranges: list[range], separator: str) -> None:
    written = separator.join(map(text_of, ranges))
    (output,) = parse({**TCP, "out1_in_port": written}).outputs

    assert {port for ports in output.tcp for port in ports} == {port for ports in ranges for port in ports}
    assert output.udp == ()
    assert all(one.stop < other.start for one, other in zip(output.tcp, output.tcp[1:], strict=False))


@given(RANGES, RANGES)
def test_two_outputs_share_no_port_of_one_protocol(one: range, other: range) -> None:
    both = {**TCP, "out1_in_port": text_of(one), "out2_protocol": "both", "out2_in_port": text_of(other)}
    common = range(max(one.start, other.start), min(one.stop, other.stop))
    if common:
        said = refused(**both)
        assert f"out1_in_port and out2_in_port both have tcp port {text_of(common)}." in said
        assert "udp" not in said
    else:
        assert len(parse(both).outputs) == 2


@given(st.dictionaries(st.sampled_from([*TCP, "out1_out_port", "aux_address"]), st.text()))
def test_whatever_is_written_is_understood_or_refused(written: dict[str, str]) -> None:
    with suppress(PropertiesError):
        properties = parse({**TCP, **written})
        for output in (*properties.outputs, properties.aux):
            assert re.fullmatch(r"[\w.:-]*", output.address, re.ASCII), "it becomes a word of rules"
            assert all(1 <= ports.start < ports.stop <= 65536 for ports in output.tcp + output.udp)


@given(st.text())
def test_a_file_is_understood_or_refused(text: str) -> None:
    with suppress(PropertiesError):
        assert all(name == name.strip() and not name.startswith("#") for name in from_file(text))


def test_names_of_ports_are_those_of_the_protocol() -> None:
    (output,) = parse({**TCP, "out1_protocol": "both", "out1_in_port": "http domain https"}).outputs
    assert output.tcp == (range(53, 54), range(80, 81), range(443, 444))
    assert output.udp == output.tcp, "what UDP has no name for is what it means in TCP"

    (output,) = parse({**TCP, "out1_protocol": "udp", "out1_in_port": "syslog,who"}).outputs
    assert output.udp == (range(513, 515),)
    (output,) = parse({**TCP, "out1_in_port": "shell,login"}).outputs
    assert output.tcp == (range(513, 515),), "the same numbers, and other names"


def test_an_output_without_protocol_is_not_in_use() -> None:
    for value in ("", "none", " NONE "):
        assert parse({**TCP, "out1_protocol": value}).outputs == ()


def test_empty_values_are_as_if_they_were_not_there() -> None:
    names = ("out1_out_port", "out1_proxy_protocol", "out1_transparent", "out2_protocol", "aux_address")
    assert parse({**TCP, **dict.fromkeys(names, " ")}) == parse(TCP)


def test_what_the_application_is_told_of_the_client() -> None:
    def told(**properties: str) -> ClientAddress:
        return parse({**TCP, **properties}).outputs[0].client_address

    assert told() is ClientAddress.HIDDEN
    assert told(out1_transparent="yes") is ClientAddress.TRANSPARENT
    assert told(out1_proxy_protocol="True", out1_transparent="no") is ClientAddress.PROXY_PROTOCOL
    assert parse({"aux_transparent": "yes"}).aux.client_address is ClientAddress.TRANSPARENT


def test_the_first_output_that_takes_a_port_has_it_and_aux_the_rest() -> None:
    properties = parse({**TCP, "out8_protocol": "udp", "out8_in_port": "80-90", "aux_address": "rest"})

    assert properties.output(Protocol.TCP, 80).name == "out1"
    assert properties.output(Protocol.UDP, 80).name == "out8"
    assert properties.output(Protocol.TCP, 81).name == "aux"
    assert properties.output("icmp", 0).name == "aux"
    assert properties.addresses == {"web", "rest"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"out1_protocol": "icmp"}, "out1_protocol: 'icmp' is not accepted. Accepted is none, tcp, udp or both."),
        ({"out1_in_port": ""}, "out1_in_port: '' is not accepted. Accepted is the ports that out1 takes:"),
        ({"out1_in_port": "0"}, "out1_in_port: '0' is not accepted. Accepted is a number from 1 to 65535, a range"),
        ({"out1_in_port": "80 70000"}, "out1_in_port: '70000' in '80 70000' is not accepted."),
        ({"out1_in_port": "90-80"}, "out1_in_port: '90-80' is not accepted."),
        ({"out1_in_port": "80-"}, "out1_in_port: '80-' is not accepted."),
        ({"out1_in_port": "٨٠"}, "is not accepted."),
        ({"out1_in_port": "nothing"}, "a name from /etc/services such as https."),
        ({"out1_out_port": "80-81"}, "out1_out_port: '80-81' is not accepted. Accepted is one port;"),
        ({"out1_out_port": "80 81"}, "out1_out_port: '80 81' is not accepted."),
        ({"out1_address": "web; drop"}, "out1_address: 'web; drop' is not accepted. Accepted is the name of a service"),
        ({"out1_address": "web:80"}, "out1_address: 'web:80' is not accepted."),
        ({"out1_transparent": "maybe"}, "out1_transparent: 'maybe' is not accepted. Accepted is yes or no."),
        ({"out1_transparent": "yes", "out1_proxy_protocol": "yes"}, "choose one of them"),
        ({"out1_protocol": "both", "out1_proxy_protocol": "yes"}, "unless out1_protocol is tcp"),
        ({"out9_protocol": "tcp"}, "out9_protocol is no property."),
        ({"OUT1_ADDRESS": "web"}, "OUT1_ADDRESS is no property. Is out1_address meant?"),
        ({"aux_in_port": "80"}, "aux_in_port is no property."),
    ],
)
def test_wrong_values_are_named_with_what_is_accepted(wrong: dict[str, str], said: str) -> None:
    assert said in refused(**{**TCP, **wrong})


def test_all_wrong_values_are_said_at_once_and_each_once() -> None:
    said = refused(out1_protocol="both", out1_in_port="x", out2_protocol="y", out3_protocol="tcp").splitlines()
    assert [line.split(":")[0] for line in said] == ["out1_in_port", "out2_protocol", "out3_in_port"]


def test_the_environment_has_more_than_properties() -> None:
    environment = {"PATH": "/bin", "output": "x", "out1_address": "web", "OUT1_PROTOCOL": "tcp", "aux_adress": "y"}
    assert from_environment(environment).keys() == {"out1_address", "OUT1_PROTOCOL", "aux_adress"}


def test_a_file_has_lines_and_remarks() -> None:
    assert from_file("# of the shop\n\n out1_address = web \nout1_in_port=80,443\r\n") == {
        "out1_address": " web ",
        "out1_in_port": "80,443",
    }
    with pytest.raises(PropertiesError) as error:
        from_file("a=1\nout1\na=2\n")
    assert str(error.value).splitlines() == [
        "line 2: 'out1' is not of the form name=value.",
        "line 3: a is there a second time; keep one of them.",
    ]
