"""Where traffic leads through a port switch: real connections between network namespaces."""

from __future__ import annotations

import socket

from loopback import until
from namespaces import Host
from servers import SILENCE, Client
from switches import Start

EXPERIMENTAL = 253
"""A protocol that is neither TCP nor UDP (RFC 3692)."""


def test_each_port_leads_to_its_service(start: Start, client: Client) -> None:
    switch = start(
        out1_protocol="tcp",
        out1_in_port="http, 8000-8010",
        out1_address="web",
        out2_protocol="tcp",
        out2_in_port="81 82",
        out2_out_port="8080",
        out2_address="other",
        out3_protocol="both",
        out3_in_port="domain",
        out3_address="other",
        out4_protocol="tcp",
        out4_in_port="8443",
        aux_address="rest",
    ).ready()
    here = switch.address

    assert client.asks(here, 80) == f"web 80 {here}"
    assert client.asks(here, 8005) == f"web 8005 {here}"
    assert client.asks(here, 81) == client.asks(here, 82) == f"other 8080 {here}"
    assert client.asks(here, 53) == f"other 53 {here}"
    with client.udp(here, 53) as domain, client.udp(here, 80) as http:
        assert domain() == f"other 53 {here}"
        assert http() == f"rest 80 {here}", "UDP of a port that is taken for TCP only"
    assert client.asks(here, 443) == f"rest 443 {here}"
    assert client.is_dropped(here, 8443)


def test_without_aux_the_rest_is_dropped(start: Start, client: Client) -> None:
    switch = start(out1_protocol="udp", out1_in_port="53", out1_address="web").ready()

    with client.udp(switch.address, 53) as domain, client.udp(switch.address, 443) as other:
        assert domain() == f"web 53 {switch.address}"
        assert other() == ""
    assert client.is_dropped(switch.address, 53)
    assert client.is_dropped(switch.address, 443)


def test_other_protocols_lead_to_aux(start: Start, client: Client, services: dict[str, Host]) -> None:
    switch = start(aux_address="rest").ready()
    with client.host.inside():
        sending = socket.socket(socket.AF_INET, socket.SOCK_RAW, EXPERIMENTAL)

    def source(service: Host) -> str:
        """Where a packet comes from that reaches the service."""
        with service.inside():
            receiving = socket.socket(socket.AF_INET, socket.SOCK_RAW, EXPERIMENTAL)
        with receiving:
            receiving.settimeout(SILENCE)
            sending.sendto(b"hello", (switch.address, 0))
            try:
                packet, source = receiving.recvfrom(4096)
            except TimeoutError:
                return ""
        assert packet.endswith(b"hello")
        return str(source[0])

    with sending:
        assert source(services["rest"]) == switch.address
        switch.change_at_once("aux_address=other")
        until(lambda: source(services["other"]) == switch.address)
        assert source(services["rest"]) == ""


def test_ipv6_leads_as_ipv4_does(start: Start, client: Client, services: dict[str, Host]) -> None:
    switch = start(
        names={"six": services["other"].address_6},
        out1_protocol="tcp",
        out1_in_port="80",
        out1_address="six",
        out2_protocol="tcp",
        out2_in_port="81",
        out2_out_port="8080",
        out2_address="six",
        aux_address="rest",
    ).ready()
    here = switch.host.address_6

    assert client.asks(here, 80) == f"other 80 {here}"
    assert client.asks(here, 81) == f"other 8080 {here}"
    assert client.is_dropped(switch.address, 80), "the service has no address of IPv4"
    assert client.is_dropped(here, 443), "aux has no address of IPv6"


def test_the_rest_may_lead_to_another_port_switch(start: Start, client: Client) -> None:
    second = start(out1_protocol="tcp", out1_in_port="8080", out1_address="other", aux_address="rest").ready()
    first = start(
        names={"more": second.address},
        out1_protocol="tcp",
        out1_in_port="80",
        out1_address="web",
        aux_address="more",
    ).ready()

    assert client.asks(first.address, 80) == f"web 80 {first.address}"
    assert client.asks(first.address, 8080) == f"other 8080 {second.address}"
    with client.udp(first.address, 443) as asks:
        assert asks() == f"rest 443 {second.address}"


def test_a_service_that_answers_through_the_port_switch_sees_the_client(
    start: Start, client: Client, services: dict[str, Host]
) -> None:
    switch = start(
        out1_protocol="both", out1_in_port="80 443", out1_address="web", out1_transparent="yes", aux_address="rest"
    ).ready()
    services["web"].run("ip", "route", "add", client.host.address, "via", switch.address)
    try:
        assert client.asks(switch.address, 80) == f"web 80 {client.host.address}"
        with client.udp(switch.address, 443) as asks:
            assert asks() == f"web 443 {client.host.address}"
        assert client.asks(switch.address, 8080) == f"rest 8080 {switch.address}"
    finally:
        services["web"].run("ip", "route", "del", client.host.address)


def test_nothing_else_passes(start: Start, client: Client, services: dict[str, Host]) -> None:
    """The port switch is no router: neither for a client that takes it for one, nor for a service."""
    switch = start(out1_protocol="tcp", out1_in_port="80", out1_address="web", aux_address="rest").ready()
    client.host.run("ip", "route", "add", services["web"].address, "via", switch.address)
    try:
        assert client.is_dropped(services["web"].address, 80)
    finally:
        client.host.run("ip", "route", "del", services["web"].address)


def test_the_application_is_told_of_the_client(start: Start, client: Client) -> None:
    switch = start(
        out1_protocol="tcp",
        out1_in_port="80, 8000-8010",
        out1_address="mail",
        out1_proxy_protocol="yes",
        out2_protocol="tcp",
        out2_in_port="444",
        out2_out_port="443",
        out2_address="mail",
        out2_proxy_protocol="yes",
        aux_address="rest",
    ).ready()
    here, there = switch.address, client.host.address

    assert client.asks(here, 80) == f"mail 80 {here} for {there} to {here} 80"
    assert client.asks(here, 8005) == f"mail 8005 {here} for {there} to {here} 8005"
    assert client.asks(here, 444) == f"mail 443 {here} for {there} to {here} 444"
    assert client.asks(here, 8080) == f"rest 8080 {here}"
    with client.udp(here, 80) as asks:
        assert asks() == f"rest 80 {here}"
