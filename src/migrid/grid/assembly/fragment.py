"""The Compose file of the MIG assembly, which is used beside the application's own."""

from __future__ import annotations

from ..errors import GridError
from ..image.recipe import MIG, MIGCTL
from ..state import Configuration

FILE = "compose.mig.yaml"
DIRECTORY = "mig"
"""Where the files that it mounts are, beside it."""

_TEXT = """\
# The MIG assembly, with which this application moves itself to another grid: docs/migctl.md.
# Beside this file it needs mig/private_key and mig/grid_info. mig/ps8/properties is read when it is there.
services:
  ps8:
    image: {mig}
    restart: unless-stopped
    read_only: true
    cap_drop: [ALL]
    cap_add: [NET_ADMIN, KILL, SETGID, SETUID]
    security_opt: [no-new-privileges:true]
    sysctls:
      net.ipv4.ip_forward: 1
    ports:
      - ${{MIG_PORT_NO:-8080}}:${{MIG_PORT_NO:-8080}}
    environment:
      out8_protocol: tcp
      out8_in_port: ${{MIG_PORT_NO:-8080}}
      out8_address: migctl
      out8_proxy_protocol: "yes"
      aux_address: ${{MIG_AUX_ADDRESS:-}}
    volumes:
      - ./mig/ps8:/etc/ps8:ro
    labels:
      mig.page: ${{MIG_PORT_NO:-8080}}
      mig.rereads_files: "true"
    healthcheck:
      test: [CMD, nft, list, table, inet, ps8]
      interval: 30s
      timeout: 10s
      start_period: 60s
      start_interval: 200ms

  migctl:
    image: {migctl}
    restart: unless-stopped
    read_only: true
    cap_drop: [ALL]
    security_opt: [no-new-privileges:true]
    stop_grace_period: 1s
    tmpfs:
      - /run:uid=33,gid=33,mode=700
      - /tmp
    environment:
      username: ${{MIG_USERNAME:-}}
      password: ${{MIG_PASSWORD:-}}
      mode: ${{MIG_MODE:-}}
      port_no: ${{MIG_PORT_NO:-8080}}
      private_key_file: ${{MIG_PRIVATE_KEY_FILE:-}}
      grid_info_file: ${{MIG_GRID_INFO_FILE:-}}
      allow_anonymous: ${{MIG_ALLOW_ANONYMOUS:-}}
      proxy_protocol: "true"
    volumes:
      - mig_config:/mnt/config
      - type: bind
        source: ./mig/private_key
        target: /mnt/config/private_key
        read_only: true
        bind:
          create_host_path: false
      - type: bind
        source: ./mig/grid_info
        target: /mnt/config/grid_info
        read_only: true
        bind:
          create_host_path: false

volumes:
  mig_config:
"""


def fragment(configuration: Configuration) -> str:
    """The Compose file with the images of the release that a grid has. Raises GridError when it has none."""
    mig, migctl = images(configuration)
    return _TEXT.format(mig=mig, migctl=migctl)


def images(configuration: Configuration) -> tuple[str, str]:
    """Those of PS8 and MIGCTL, of the release that a grid has. Raises GridError when it has none."""
    release = configuration.helper_image.partition(":")[2]
    if not release:
        raise GridError("This grid's configuration names no helper image; the playbook playbooks/grids.yml sets it.")
    return f"{MIG.repository}:{release}", f"{MIGCTL.repository}:{release}"
