"""Apache's configuration for the page: TLS, and one process with threads in which Python answers."""

from __future__ import annotations

import sys
from pathlib import Path

from ..properties import Properties
from ..tls import Pair
from .showing import MOST_STREAMS

THREADS = MOST_STREAMS + 6
CONNECTIONS = 64
MODULES_DIRECTORY = "/usr/lib/apache2/modules"

_MODULES = ("mpm_event", "authz_core", "remoteip", "reqtimeout", "ssl", "wsgi")
_APPLICATION = Path(__file__).with_name("wsgi.py")
_CODE = Path(__file__).parents[3]

_CONFIGURATION = """\
ServerName MIGCTL
PidFile {run}/apache.pid
DefaultRuntimeDir {run}
{modules}

Listen {port}
RemoteIPProxyProtocol {proxied}

SSLEngine On
SSLCertificateFile {certificate}
SSLCertificateKeyFile {key}
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLSessionTickets Off
SSLSessionCache none

ErrorLog /proc/self/fd/2
LogLevel error
ErrorLogFormat "migctl: %M"

ServerLimit 1
StartServers 1
ThreadsPerChild {connections}
MaxRequestWorkers {connections}
MinSpareThreads 1
MaxSpareThreads {connections}
Timeout 60
KeepAliveTimeout 5
RequestReadTimeout handshake=10 header=10-30,MinRate=500 body=20,MinRate=500
LimitRequestFields 64
LimitRequestBody 65536
ServerTokens Prod
TraceEnable Off

WSGISocketPrefix {run}/wsgi
WSGIRestrictEmbedded On
WSGIDaemonProcess migctl processes=1 threads={threads} home=/ lang=C.UTF-8 umask=0077 {python}
WSGIScriptAlias / {application} process-group=migctl application-group=%{{GLOBAL}}
<Directory {directory}>
    Require all granted
</Directory>
"""


def configuration(properties: Properties, pair: Pair, run: Path) -> str:
    """The configuration of a server that may write to the directory `run` only."""
    return _CONFIGURATION.format(
        run=run,
        modules="\n".join(f"LoadModule {name}_module {MODULES_DIRECTORY}/mod_{name}.so" for name in _MODULES),
        port=properties.port_no,
        proxied="On" if properties.proxy_protocol else "Off",
        certificate=pair.certificate,
        key=pair.key,
        connections=CONNECTIONS,
        threads=THREADS,
        python=f"python-home={sys.prefix} python-path={_CODE}",
        application=_APPLICATION,
        directory=_APPLICATION.parent,
    )
