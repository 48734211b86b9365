"""A port switch whose properties, addresses and programs change while connections go on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from loopback import until
from namespaces import Host
from servers import Client
from switches import Start

TWO = {
    "out1_protocol": "tcp",
    "out1_in_port": "80",
    "out1_address": "web",
    "out2_protocol": "both",
    "out2_in_port": "443",
    "out2_address": "web",
}


def test_a_change_takes_effect_and_leaves_other_connections_alone(start: Start, client: Client) -> None:
    switch = start(**TWO).ready()
    here = switch.address
    with client.connected(here, 80) as other, client.connected(here, 443) as changed, client.udp(here, 443) as asks:
        assert asks() == f"web 443 {here}"
        switch.change("# moved", "", "out2_address = other", "out2_out_port=8080")
        until(lambda: client.asks(here, 443) == f"other 8080 {here}")

        until(lambda: not changed.echoes())
        until(lambda: asks() == f"other 8080 {here}")
        assert other.echoes()

        switch.change()
        until(lambda: client.asks(here, 443) == f"web 443 {here}")
        assert other.echoes()


def test_an_output_that_is_taken_away_ends_its_connections(start: Start, client: Client) -> None:
    switch = start(**TWO, aux_address="rest").ready()
    here = switch.address
    with client.connected(here, 80) as first, client.connected(here, 443) as second, client.connected(here, 53) as rest:
        switch.change_at_once("out1_protocol=none", "out2_address=")
        until(lambda: client.is_dropped(here, 443))

        assert client.asks(here, 80) == f"rest 80 {here}"
        until(lambda: not first.echoes())
        until(lambda: not second.echoes())
        assert rest.echoes()


def test_a_port_more_leaves_connections_alone(start: Start, client: Client) -> None:
    switch = start(out1_protocol="tcp", out1_in_port="80", out1_address="mail", out1_proxy_protocol="yes", **_two_of(2))
    here = switch.ready().address
    with client.connected(here, 80) as proxied, client.connected(here, 443) as switched:
        switch.change_at_once("out1_in_port=80 8000-8010", "out2_in_port=443,53")
        until(lambda: client.asks(here, 53) == f"web 53 {here}")

        assert client.asks(here, 8005).startswith("mail 8005 ")
        assert proxied.echoes()
        assert switched.echoes()


def test_a_proxied_output_that_changes_leaves_the_others_alone(start: Start, client: Client) -> None:
    proxied = {f"{output}_proxy_protocol": "yes" for output in ("out1", "out2")}
    switch = start(**TWO | proxied | {"out1_address": "mail", "out2_address": "mail", "out2_protocol": "tcp"}).ready()
    here = switch.address
    with client.connected(here, 80) as other, client.connected(here, 443) as changed:
        switch.change_at_once("out2_out_port=8080")
        until(lambda: client.asks(here, 443).startswith("mail 8080 "))
        assert other.echoes()
        assert not changed.echoes()

        switch.change_at_once("out2_protocol=none")
        until(lambda: len(switch.proxies()) == 1)
        assert other.echoes()
        assert client.is_dropped(here, 443)


def test_traffic_goes_on_through_many_changes(start: Start, client: Client) -> None:
    switch = start(**TWO).ready()
    ended, broken = threading.Event(), []

    def talk() -> None:
        with client.connected(switch.address, 80) as connection:
            while not ended.is_set():
                if not connection.echoes() or client.asks(switch.address, 80) != f"web 80 {switch.address}":
                    broken.append("an old or a new connection")
                    return

    talking = threading.Thread(target=talk)
    talking.start()
    for number in range(20):
        service = ("other", "rest")[number % 2]
        switch.change_at_once(f"out2_address={service}")
        until(lambda service=service: client.asks(switch.address, 443) == f"{service} 443 {switch.address}")
    ended.set()
    talking.join()
    assert not broken


def test_a_service_with_a_new_address_is_found(start: Start, client: Client, services: dict[str, Host]) -> None:
    web, other = services["web"].address, services["other"].address
    switch = start(names={"shop": web}, out1_protocol="both", out1_in_port="80", out1_address="shop").ready()
    here = switch.address
    with client.connected(here, 80) as old, client.udp(here, 80) as asks:
        assert asks() == f"web 80 {here}"

        switch.resolve({})
        until(lambda: client.is_dropped(here, 80))
        assert old.echoes(), "the service may come back at the same address"

        switch.resolve({"shop": other})
        until(lambda: not client.is_dropped(here, 80))
        assert client.asks(here, 80) == f"other 80 {here}"
        until(lambda: not old.echoes())
        until(lambda: asks() == f"other 80 {here}")
    assert switch.says("shop cannot be resolved") == 1


def test_a_name_with_several_addresses_keeps_the_one_it_has(
    start: Start, client: Client, services: dict[str, Host]
) -> None:
    web, other = services["web"].address, services["other"].address
    switch = start(names={"shop": web}, out1_protocol="tcp", out1_in_port="80", out1_address="shop").ready()
    with client.connected(switch.address, 80) as connection:
        switch.resolve({"shop": f"{other} shop\n{web}", "later": other})
        switch.change_at_once("out2_protocol=tcp", "out2_in_port=443", "out2_address=later")
        until(lambda: not client.is_dropped(switch.address, 443))

        assert client.asks(switch.address, 80) == f"web 80 {switch.address}"
        assert connection.echoes()


def test_a_proxied_service_with_a_new_address_is_found(start: Start, client: Client, services: dict[str, Host]) -> None:
    shop = {"out1_protocol": "tcp", "out1_in_port": "80", "out1_address": "shop", "out1_proxy_protocol": "yes"}
    switch = start(**shop).ready()
    assert client.is_dropped(switch.address, 80)

    switch.resolve({"shop": services["mail"].address})
    until(lambda: not client.is_dropped(switch.address, 80))
    assert client.asks(switch.address, 80).startswith("mail 80 ")


def test_wrong_properties_change_nothing(start: Start, client: Client) -> None:
    switch = start(**TWO).ready()
    here = switch.address
    with client.connected(here, 80) as connection:
        for wrong, said in (
            ("out1_in_port=http-and-more", "'http-and-more' is not accepted"),
            ("out3_protocol=tcp\nout3_in_port=80", "both have tcp port 80"),
            ("out1_adress=other", "out1_adress is no property. Is out1_address meant?"),
            ("out1_address", "properties, line 1: 'out1_address' is not of the form name=value."),
        ):
            switch.change_at_once(wrong)
            until(lambda said=said: switch.says(said))
            assert client.asks(here, 80) == f"web 80 {here}"
        assert switch.says("The properties stay as they were") == 4

        assert connection.echoes()
        switch.change_at_once("out1_in_port=8005")
        until(lambda: not connection.echoes())
        assert client.asks(here, 8005) == f"web 8005 {here}"


def test_a_proxy_that_ends_is_started_again(start: Start, client: Client) -> None:
    switch = start(out1_protocol="tcp", out1_in_port="80", out1_address="mail", out1_proxy_protocol="yes").ready()
    before = switch.proxies()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: switch.proxies() not in ([], before))

    assert client.asks(switch.address, 80).startswith("mail 80 ")
    assert switch.says("HAProxy of out1 ended") == 1


def test_it_ends_when_it_is_told_to_and_takes_its_proxies_along(start: Start) -> None:
    switch = start(out1_protocol="tcp", out1_in_port="80", out1_address="mail", out1_proxy_protocol="yes").ready()
    proxies = switch.proxies()

    assert switch.stop() == 0
    for proxy in proxies:
        assert not Path(f"/proc/{proxy}").exists()


def _two_of(number: int) -> dict[str, str]:
    return {name: value for name, value in TWO.items() if name.startswith(f"out{number}_")}
