#!/bin/sh
# The host's part of bench/sftp.py: a plain OpenSSH beside grid_sftp, and users that exist for the measurement only.
#   sftp_host.sh start PUBLIC_KEY PEER_PORT    sftp_host.sh users NUMBER    sftp_host.sh stop
set -eu

login=sftp-bench
accounts=/var/lib/migrid/accounts
saved=/var/lib/migrid/sftp-bench
homes=$(systemctl show grid_sftp --property BindPaths --value | tr ' ' '\n' | cut -d: -f1 | grep '/user_home$')
peer_home=/home/$login

start() {
    stop
    mkdir -p -m 0700 "$saved"
    echo "$1" > "$saved/key"
    mig createuser --full-name 'SFTP Bench' --email $login@example.org --alias $login --public-key "$saved/key" < /dev/null
    for file in passwd generation; do cp -p "$accounts/$file" "$saved/"; done
    users 10
    start_peer "$1" "$2"
}

# Publish as many users; the one that logs in is the last that a search finds.
users() {
    ids=$(stat -c %u:%g "$homes")
    seq "$(($1 - 1))" | sed "s|.*|user&@example.org:x:$ids::$homes/+C=NA+CN=User_&+emailAddress=user&@example.org:/usr/sbin/nologin|" > "$saved/many"
    grep "^$login:" "$saved/passwd" >> "$saved/many"
    install -m 0644 "$saved/many" "$accounts/passwd"
}

start_peer() {
    useradd --create-home --home-dir "$peer_home" --shell /usr/sbin/nologin $login-peer
    usermod --password '*' $login-peer
    install -d -m 0700 -o $login-peer "$peer_home/.ssh" "$peer_home/data"
    echo "$1" > "$peer_home/.ssh/authorized_keys"
    chown $login-peer "$peer_home/.ssh/authorized_keys"
    grep -E '^(HostKey|KexAlgorithms|Ciphers|MACs) ' /etc/migrid/sftp/sshd_config > "$saved/sshd_config"
    printf '%s\n' "Port $2" 'PidFile none' 'Compression no' 'Subsystem sftp internal-sftp' 'ForceCommand internal-sftp -d data' >> "$saved/sshd_config"
    systemd-run --quiet --unit=$login-peer --property=RuntimeDirectory=sshd --property=RuntimeDirectoryPreserve=yes \
        /usr/sbin/sshd -D -f "$saved/sshd_config"
}

stop() {
    systemctl stop $login-peer 2> /dev/null || true
    if [ -d "$saved" ]; then
        for file in passwd generation; do
            if [ -e "$saved/$file" ]; then cp -p "$saved/$file" "$accounts/"; fi
        done
        mig deleteuser -i $login --remove-data --yes 2> /dev/null || true
    fi
    rm -rf "$saved"
    if id $login-peer > /dev/null 2>&1; then userdel --force --remove $login-peer 2> /dev/null; fi
}

"$@"
