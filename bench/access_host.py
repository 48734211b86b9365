"""The host's part of bench/access.py and bench/portal.py: users that exist for the measurement only, and the peers.

    access_host.py start PUBLIC_KEY    access_host.py users NUMBER    access_host.py memory    access_host.py stop

Runs as root with the site's own Python. The peers come out of the distribution's packages without being installed,
because some do not go together with what the site has. They keep their files on the file system of the homes.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from migrid.site.configuration import Configuration, load
from migrid.site.reconcile import reconcile
from migrid.site.users import parse_entries

CONF = Path("/etc/migrid/migserver/MiGserver.conf")
LOGIN = "bench.access@example.org"
PACKAGES = ("nginx", "vsftpd")
PORTS = {"openssh": 2299, "vsftpd": 2298, "nginx": 2297, "apache": 2296}
PASSIVE = (20000, 39999)
MANY = "bench.many"

VSFTPD = """\
listen=YES
listen_port={port}
background=NO
anonymous_enable=YES
no_anon_password=YES
ftp_username={account}
anon_root={work}/root
anon_umask=077
anon_upload_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
write_enable=YES
secure_chroot_dir={work}/root
ssl_enable=YES
allow_anon_ssl=YES
force_anon_data_ssl=YES
force_anon_logins_ssl=YES
require_ssl_reuse=NO
ssl_ciphers=ECDHE+AESGCM
rsa_cert_file={work}/certificate
rsa_private_key_file={work}/key
pasv_min_port={passive[0]}
pasv_max_port={passive[1]}
xferlog_enable=NO
"""
NGINX = """\
user {account};
daemon off;
worker_processes auto;
pid {work}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 100000;
  client_body_temp_path {work}/root/data/.uploads;
  proxy_temp_path {work}/unused;
  fastcgi_temp_path {work}/unused;
  uwsgi_temp_path {work}/unused;
  scgi_temp_path {work}/unused;
  client_max_body_size 0;
  server {{
    listen {port} ssl;
    ssl_certificate {work}/certificate;
    ssl_certificate_key {work}/key;
    auth_basic bench;
    auth_basic_user_file {work}/users;
    root {work}/root;
    location / {{ dav_methods PUT DELETE; }}
  }}
}}
"""
SSHD = """\
Port {port}
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
HostKey {work}/host_key
AuthorizedKeysFile {work}/user_key.pub
Compression no
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d {work}/root
"""
HELLO = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "6")])
    return [b"hello\\n"]
"""
APACHE = """\
ServerName localhost
ServerRoot {work}
PidFile {work}/apache.pid
ErrorLog {work}/apache.log
User {account}
Group {group}
{modules}
WSGISocketPrefix {work}/wsgi
WSGIDaemonProcess hello processes=2 threads=15
WSGIProcessGroup hello
Listen {port}
SSLEngine on
SSLCertificateFile {work}/certificate
SSLCertificateKeyFile {work}/key
KeepAlive On
MaxKeepAliveRequests 0
WSGIScriptAlias /hello {work}/hello.py
Alias /static {work}/root
<Directory {work}>
    Require all granted
</Directory>
"""
MODULES = ("mpm_event", "authz_core", "alias", "ssl", "socache_shmcb", "wsgi")


@dataclass(frozen=True)
class Peers:
    """The peers' directory, and the site whose account some of them have."""

    work: Path
    site: Configuration

    def build(self, public_key: str) -> None:
        self.work.mkdir(mode=0o755)
        self.work.chmod(0o755)
        data = self.work / "root" / "data"
        data.mkdir(parents=True)
        os.chown(data, self.site.account_uid, self.site.account_gid)
        (data.parent / "file").write_bytes(os.urandom(4096))
        (self.work / "hello.py").write_text(HELLO, encoding="ascii")
        (self.work / "users").write_text("bench:{PLAIN}bench\n", encoding="ascii")
        (self.work / "user_key.pub").write_text(public_key, encoding="ascii")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(self.work / "key")]
        run("openssl", "req", "-x509", *new_key, "-subj", "/CN=localhost", "-out", str(self.work / "certificate"))
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.work / "host_key"))
        for package in PACKAGES:
            run("apt-get", "download", package, cwd=self.work)
        for package in self.work.glob("*.deb"):
            run("dpkg-deb", "--extract", str(package), str(self.work / "packages"))

    def start(self) -> None:
        packages = self.work / "packages/usr/sbin"
        self._start("openssh", SSHD, lambda file: ["/usr/sbin/sshd", "-D", "-f", file])
        self._start("vsftpd", VSFTPD, lambda file: [f"{packages}/vsftpd", file])
        self._start("nginx", NGINX, lambda file: [f"{packages}/nginx", "-c", file])
        self._start("apache", APACHE, lambda file: ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", file])

    def _start(self, name: str, configuration: str, command: Callable[[str], list[str]]) -> None:
        file = self.work / f"{name}.conf"
        modules = [f"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so" for module in MODULES]
        text = configuration.format(
            port=PORTS[name],
            work=self.work,
            account=pwd.getpwuid(self.site.account_uid).pw_name,
            group=grp.getgrgid(self.site.account_gid).gr_name,
            passive=PASSIVE,
            modules="\n".join(modules),
        )
        file.write_text(text, encoding="utf-8")
        run("systemd-run", "--quiet", "--collect", f"--unit=bench-{name}", "--property=RuntimeDirectory=sshd",
            "--property=RuntimeDirectoryPreserve=yes", *command(str(file)))  # fmt: skip


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
    return done.stdout


def entry(email: str, **fields: object) -> Mapping[str, object]:
    return {"full_name": f"Bench {email.partition('@')[0]}", "email": email, **fields}


def start(public_key: str) -> None:
    """Make everything; print where it is, as JSON."""
    stop()
    site = load(CONF)
    password = secrets.token_urlsafe(16) + "-Aa1"
    user = entry(LOGIN, password=password, public_keys=[public_key])
    reconcile(site, parse_entries([user]))
    peers = Peers(site.state_path.parent / "bench-access", site)
    peers.build(public_key)
    peers.start()
    print(json.dumps({"login": LOGIN, "password": password, "ports": PORTS, "directory": f"{peers.work}/root/data"}))


def users(number: str) -> None:
    """Have so many other users."""
    site = load(CONF)
    wanted = [entry(f"{MANY}{index}@example.org") for index in range(int(number))]
    gone = [entry(f"{MANY}{index}@example.org", state="absent", remove_data=True) for index in range(10_000)]
    reconcile(site, parse_entries([*wanted, *gone[len(wanted) :]]))


def memory() -> None:
    """Print the memory of each daemon of the site in MiB, where what processes share is counted once (PSS)."""
    for unit in ("apache2", "grid_openid", "grid_sftp", "grid_ftps", "grid_webdavs"):
        main = run("systemctl", "show", "--property", "MainPID", "--value", unit).strip()
        if main != "0":
            print(f"PSS {unit} {sum(map(proportional, family(main))) // 1024}")


def family(process: str) -> list[str]:
    """A process and all below it."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [process, *(below for child in children for below in family(child))]


def proportional(process: str) -> int:
    """The part of memory, in KiB, that is a process's (proc_pid_smaps(5))."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def stop() -> None:
    """Take everything away again."""
    for name in PORTS:
        subprocess.run(["systemctl", "stop", f"bench-{name}"], capture_output=True, check=False)
    users("0")
    site = load(CONF)
    reconcile(site, parse_entries([entry(LOGIN, state="absent", remove_data=True)]))
    shutil.rmtree(site.state_path.parent / "bench-access", ignore_errors=True)


if __name__ == "__main__":
    {"start": start, "users": users, "memory": memory, "stop": stop}[sys.argv[1]](*sys.argv[2:])
