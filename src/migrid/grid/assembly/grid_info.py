"""The file `grid_info` of this grid and its peers, which `migrid.migctl` reads: YAML whose values are all JSON too."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ..errors import GridError
from ..peers.host_keys import host_keys
from ..state import Configuration, Peer, State

_BEST = ("ssh-ed25519", "ecdsa-", "ssh-rsa")


def grid_info(state: State) -> str:
    """An entry for this grid and for each that it knows. Raises GridError when the host key of one is not known."""
    configuration = state.configuration()
    known = {**_known_hosts(state), configuration.name: host_keys()}
    return "".join(
        line
        for name, controller, account in sorted(_grids(configuration))
        for line in (
            f"{name}:\n",
            f"  controller: {json.dumps(controller)}\n",
            f"  user: {json.dumps(account)}\n",
            f"  host_key: {json.dumps(_best(known.get(name, ()), name))}\n",
        )
    )


def _grids(configuration: Configuration) -> Iterator[tuple[str, str, str]]:
    """Name, controller and account of each."""
    here = Peer(configuration.address, configuration.ssh_port)
    for name, peer in {**configuration.peers, configuration.name: here}.items():
        host = f"[{peer.address}]" if ":" in peer.address else peer.address
        yield name, f"{host}:{peer.ssh_port}", peer.account


def _known_hosts(state: State) -> dict[str, list[str]]:
    """The keys in known_hosts, as sshd(8) has it, by the names of the grids."""
    found: dict[str, list[str]] = {}
    path = state.root / "ssh" / "known_hosts"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        name, _, key = line.partition(" ")
        if key and name != "#":
            found.setdefault(name, []).append(key)
    return found


def _best(keys: Iterable[str], name: str) -> str:
    ranked = [key for kind in _BEST for key in keys if key.startswith(kind)]
    if not ranked:
        raise GridError(f"The host key of grid {name} is not known here; playbooks/grids.yml makes it known.")
    return ranked[0]
