#!/bin/sh
# The host's part of bench/sftp.py: a plain OpenSSH beside grid_sftp, and users that exist for the measurement only.
#   sftp_host.sh start PUBLIC_KEY PEER_PORT    sftp_host.sh users NUMBER    sftp_host.sh stop
set -eu

login=sftp-bench
accounts=/var/lib/migrid/accounts
saved=/var/lib/migrid/sftp-bench
homes=$(systemctl show grid_sftp --property BindPaths --value | cut -d: -f1)
home="$homes/+C=NA+CN=SFTP_Bench"
peer_home=/home/$login

start() {
    stop
    mkdir -p -m 0700 "$saved"
    for file in passwd shadow generation; do
        if [ -e "$accounts/$file" ]; then cp -p "$accounts/$file" "$saved/"; fi
    done
    owner=$(stat -c %U:%G "$homes")
    install -d -m 0700 -o "${owner%:*}" -g "${owner#*:}" "$home"
    install -d -m 0750 -g "${owner#*:}" "$accounts/keys"
    echo "$1" > "$accounts/keys/$login"
    chmod 0644 "$accounts/keys/$login"
    users 10
    start_peer "$1" "$2"
}

# Publish as many users; the one that logs in is the last that a search finds.
users() {
    ids=$(stat -c %u:%g "$homes")
    seq "$(($1 - 1))" | sed "s|.*|user&@example.org:x:$ids::$homes/+C=NA+CN=User_&+emailAddress=user&@example.org:/usr/sbin/nologin|" > "$saved/many"
    echo "$login:x:$ids::$home:/usr/sbin/nologin" >> "$saved/many"
    install -m 0644 "$saved/many" "$accounts/passwd"
    cut -d: -f1 "$saved/many" | sed 's/$/:!:::::::/' > "$saved/many-shadow"
    install -m 0600 "$saved/many-shadow" "$accounts/shadow"
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
        rm -f "$accounts/passwd" "$accounts/shadow" "$accounts/generation" "$accounts/keys/$login"
        for file in passwd shadow generation; do
            if [ -e "$saved/$file" ]; then cp -p "$saved/$file" "$accounts/"; fi
        done
    fi
    rm -rf "$saved" "$home"
    if id $login-peer > /dev/null 2>&1; then userdel --force --remove $login-peer 2> /dev/null; fi
}

"$@"
