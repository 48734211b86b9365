# Steps that make this machine ready. Each is skipped when it is already done. bin/site and bin/test source this file.
# shellcheck shell=bash

set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
logs=$project/build/log
export ANSIBLE_CONFIG=$project/ansible.cfg
export PATH=$project/.venv/bin:$PATH:/usr/sbin:/sbin
mkdir -p "$logs"

# fail MESSAGE: end with an error
fail() {
  printf 'ERROR: %s\n' "$1" >&2
  exit 1
}

# step NAME TITLE REMEDY COMMAND...: run the command with its output in a log file; if it fails, show the end and the remedy
step() {
  local name=$1 title=$2 remedy=$3 started=$SECONDS
  local log=$logs/$name.log
  shift 3
  printf '%s ... ' "$title"
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'done in %d s\n' $((SECONDS - started))
  else
    printf 'failed\n'
    tail --lines=20 "$log" >&2
    fail "$title failed. $remedy The whole output is in $log."
  fi
}

# have COMMAND: is it installed?
have() {
  command -v "$1" >/dev/null
}

# need COMMAND PACKAGE: install the package unless there is the command
need() {
  have "$1" || install_packages "$2"
}

# install_packages NAME...: install packages of the distribution
install_packages() {
  [[ $(id -u) == 0 ]] || fail "The packages $* are missing. Run this as root, or install them."
  step "apt-$1" "Installing $*" "Check the network and the package sources in /etc/apt, then run this again." apt_get "$@"
}

apt_get() {
  local apt_get=(env DEBIAN_FRONTEND=noninteractive apt-get --option DPkg::Lock::Timeout=300 --quiet --yes)
  "${apt_get[@]}" update
  "${apt_get[@]}" install --no-install-recommends "$@"
}

# sshd_program: OpenSSH's server for the tests to ask
sshd_program() {
  have sshd || install_stopped "ssh.service ssh.socket" openssh-server
}

# proftpd_program: ProFTPD with TLS, for the tests to ask
proftpd_program() {
  have proftpd || install_stopped proftpd.service proftpd-core proftpd-mod-crypto
}

# nginx_program: nginx, with the module that forwards ports, for the tests to ask
nginx_program() {
  [[ -e /usr/lib/nginx/modules/ngx_stream_module.so ]] || install_stopped nginx.service nginx libnginx-mod-stream
}

# haproxy_program: HAProxy, for the tests to ask
haproxy_program() {
  have haproxy || install_stopped haproxy.service haproxy
}

# install_stopped "UNIT..." NAME...: install packages whose services start neither now nor with the machine
install_stopped() {
  local policy=/usr/sbin/policy-rc.d units
  read -ra units <<<"$1"
  (
    if [[ -w ${policy%/*} && ! -e $policy ]]; then
      trap 'rm "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod 0755 "$policy"
    fi
    install_packages "${@:2}"
    systemctl --quiet disable "${units[@]}" 2>/dev/null || true
  )
}

# control_node: the virtual environment with what runs the playbooks
control_node() {
  virtual_environment
  requirements requirements.txt
  checkout
}

virtual_environment() {
  "$project/.venv/bin/python" -c '' 2>/dev/null && return
  need python3 python3
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || fail "$(command -v python3) is $(python3 --version), but 3.11 or newer is needed. Put a newer python3 first in PATH."
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
  step venv "Making the virtual environment .venv" "Remove .venv and run this again." \
    python3 -m venv --clear "$project/.venv"
}

# requirements FILE: install a lock file into the virtual environment
requirements() {
  local installed=$project/.venv/$1
  cmp --silent "$project/$1" "$installed" && return
  step "${1%.txt}" "Installing the Python packages of $1" "Check the network and pip's configuration, then run this again." \
    python -m pip install --requirement "$project/$1"
  cp "$project/$1" "$installed"
}

# checkout: make this checkout's own package importable in the virtual environment
checkout() {
  local installed=$project/.venv/pyproject.toml
  cmp --silent "$project/pyproject.toml" "$installed" && return
  step checkout "Installing the package migrid of this checkout" "Look at pyproject.toml." \
    python -m pip install --no-build-isolation --no-deps --editable "$project"
  cp "$project/pyproject.toml" "$installed"
}

# scanners: what looks for weak points of a site, in a virtual environment of its own
scanners() {
  local scanners=$project/.venv/scanners
  cmp --silent "$project/requirements-scanners.txt" "$scanners/requirements.txt" && return
  step scanners-venv "Making the virtual environment of the scanners" "Remove .venv and run this again." \
    python -m venv --clear "$scanners"
  step scanners "Installing the scanners" "Check the network and pip's configuration, then run this again." \
    "$scanners/bin/python" -m pip install --requirement "$project/requirements-scanners.txt"
  cp "$project/requirements-scanners.txt" "$scanners/requirements.txt"
}

# engine: a running Docker engine
engine() {
  engine_answers && return
  need dockerd docker.io
  need docker docker-cli
  [[ $(id -u) == 0 ]] || fail "The Docker engine does not answer. Run this as root, or start the engine."
  step engine "Starting the Docker engine" "Look at $logs/dockerd.log, or at journalctl --unit docker." start_engine
}

engine_answers() {
  docker version >/dev/null 2>&1
}

start_engine() {
  if [[ -d /run/systemd/system ]]; then
    systemctl enable --now docker.service || return
  else
    forget_dead_engine /var/run/docker.pid
    setsid dockerd >"$logs/dockerd.log" 2>&1 </dev/null &
  fi
  timeout 60 bash -c 'until docker version >/dev/null 2>&1; do sleep 0.5; done' && return
  tail --lines=10 "$logs/dockerd.log"
  return 1
}

# The engine does not start while its old process number belongs to some other process.
forget_dead_engine() {
  local number
  number=$(cat "$1" 2>/dev/null) || return 0
  [[ $(cat "/proc/$number/comm" 2>/dev/null) == dockerd ]] || rm --force "$1"
}

base_packages=ca-certificates,dbus,iproute2,python3,systemd,systemd-sysv

# base_image RELEASE: the image migrid/debian:RELEASE, built from the distribution's packages
base_image() {
  local image=migrid/debian:$1 suite recipe
  suite=$(suite "$1")
  recipe="$suite $base_packages"
  [[ $(recipe_of "$image") == "$recipe" ]] && return
  have mmdebstrap || install_packages mmdebstrap debian-archive-keyring
  step "image-$1" "Building the image $image" \
    "Check that this machine reaches a Debian mirror; the variable MIGRID_MIRROR names another than the default one." \
    build_base_image "$image" "$suite" "$recipe"
}

# recipe_of IMAGE: what it was built from; nothing if there is no such image
recipe_of() {
  docker image inspect --format '{{index .Config.Labels "migrid.recipe"}}' "$1" 2>/dev/null
}

suite() {
  case $1 in
    12) echo bookworm ;;
    13) echo trixie ;;
    *) fail "There is no base image of Debian $1, only of 12 and 13." ;;
  esac
}

# An image gets its name last, so that a build that broke off leaves none.
build_base_image() {
  local id
  id=$(mmdebstrap --variant=minbase --include="$base_packages" "$2" - ${MIGRID_MIRROR:+"$MIGRID_MIRROR"} \
    | docker import --change 'CMD ["/sbin/init"]' --change 'ENV container=docker' --change "LABEL migrid.recipe=\"$3\"" -) \
    && docker tag "$id" "$1"
}

grid_share=/usr/local/share/migrid
grid_packages=(
  btrfs-progs docker-cli docker-compose docker.io mmdebstrap nftables openssh-client openssh-server python3-apt sudo
)

# grid_image RELEASE: the image migrid/grid:RELEASE, the base image with what roles/grid would install and build on each grid
grid_image() {
  local base=migrid/debian:$1 image=migrid/grid:$1 recipe
  base_image "$1"
  recipe="$(docker image inspect --format '{{.Id}}' "$base") ${grid_packages[*]} debian.tar $(appliance_images --check)"
  [[ $(recipe_of "$image") == "$recipe" ]] && return
  have mmdebstrap || install_packages mmdebstrap debian-archive-keyring
  step "image-grid-$1" "Building the image $image" "Check that containers on this machine reach a Debian mirror." \
    build_grid_image "$base" "$image" "$recipe"
}

# appliance_images [--check]: build the images of the MIG assembly on this engine; print the names of their bases
appliance_images() {
  python -m migrid.grid.image build ${MIGRID_MIRROR:+--mirror "$MIGRID_MIRROR"} "$@" migrid/{mighelper,mig,migctl}:embedded \
    | python -c 'import json, sys; print(*json.load(sys.stdin)["bases"])'
}

# put_images CONTAINER:PATH IMAGE...: save images to a file in a container
put_images() {
  local archive done=0
  archive=$(mktemp --tmpdir="$project/build")
  docker save --output "$archive" "${@:2}" && docker cp "$archive" "$1" || done=$?
  rm "$archive"
  return "$done"
}

# Each host makes SSH keys of its own.
build_grid_image() {
  local name=migrid-build-grid bases
  docker rm --force "$name" 2>/dev/null
  appliance_images >"$logs/appliance_images" &
  docker run --name "$name" --env DEBIAN_FRONTEND=noninteractive "$1" sh -ec "
    apt-get update
    apt-get install --no-install-recommends --yes --option DPkg::Options::=--force-unsafe-io ${grid_packages[*]}
    apt-get clean
    rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*
    mkdir --parents $grid_share" || return
  put_images "$name:$grid_share/debian.tar" "$1" || return
  wait $! || return
  read -ra bases <"$logs/appliance_images"
  put_images "$name:$grid_share/appliance-bases.tar" "${bases[@]}" || return
  docker commit --change 'CMD ["/sbin/init"]' --change "LABEL migrid.recipe=\"$3\"" "$name" "$2" || return
  docker rm "$name"
}

# example: what the example application needs before it can be sent to a grid
example() {
  "$project/examples/applications/shop/prepare"
}

# sample_user: key and password of the first user of the embedded inventory
sample_user() {
  local directory=$project/build/sample_user
  [[ -e $directory/password ]] && return
  need ssh-keygen openssh-client
  step sample_user "Making a key and a password for the sample user" "Remove $directory and run this again." \
    make_sample_user "$directory"
}

make_sample_user() {
  umask 077
  rm -rf "$1" && mkdir -p "$1" || return
  ssh-keygen -q -t ed25519 -N '' -C ada@example.org -f "$1/id_ed25519" || return
  python -c 'import secrets; print("Ada-1-" + secrets.token_urlsafe(12), end="")' >"$1/password"
}
