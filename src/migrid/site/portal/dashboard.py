"""The first page: who you are, how you came in, and how to connect with each service."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from ..configuration import Configuration
from ..logins import Method
from .context import home, portal, visitor

routes = Blueprint("dashboard", __name__)

LOG_OUT = "/oidc/callback"
"""Where Apache's mod_auth_openidc ends a session."""

METHODS = {
    "migcert": "with a certificate of this site",
    "extcert": "with a certificate",
    "migoidc": "with your login and password",
    "extoidc": "with the account of your organization",
}


class Way(NamedTuple):
    """A service to connect with: what it is good for, and a command that is ready to be copied."""

    name: str
    purpose: str
    command: str


@routes.get("/")
@routes.get("/home.py")
def start() -> ResponseReturnValue:
    """The page that earlier versions began with."""
    return redirect(url_for(".dashboard"), 302)


@routes.get("/dashboard.py")
def dashboard() -> ResponseReturnValue:
    """The page."""
    with home() as files:
        space = files.space()
    user, site = visitor().user, portal().site
    how, ways = METHODS[visitor().method], _ways(site, user.alias)
    return render_template("dashboard.html", user=user, how=how, ways=ways, space=space, about=site)


@routes.get("/logout.py")
def log_out() -> ResponseReturnValue:
    """Log out where the login was: at the provider, or in the browser, which goes on showing a certificate."""
    if visitor().method is not Method.MIGOIDC:
        return render_template("logout.html")
    front_page = f"{portal().site.migserver_public_url or ''}/"
    return redirect(f"{LOG_OUT}?{urlencode({'logout': front_page})}", 303)


def _ways(site: Configuration, login: str) -> list[Way]:
    return [*_sftp_ways(site, login), *_ftps_ways(site, login), *_davs_ways(site, login)]


def _sftp_ways(site: Configuration, login: str) -> list[Way]:
    host = site.user_sftp_address
    if not host or not (site.enable_sftp or site.enable_sftp_subsys):
        return []
    if site.enable_sftp:
        port = site.user_sftp_show_port or site.user_sftp_port
    else:
        port = site.user_sftp_subsys_show_port or site.user_sftp_subsys_port
    remote = f":sftp,host={host},port={port},user={login}"
    return [
        Way("SFTP", "Copy files", f"sftp -P {port} {login}@{host}"),
        Way("rclone", "Keep a directory here like one of yours", f"rclone sync DIRECTORY {remote}:DIRECTORY"),
    ]


def _ftps_ways(site: Configuration, login: str) -> list[Way]:
    host, port = site.user_ftps_address, site.user_ftps_show_ctrl_port or site.user_ftps_ctrl_port
    if not site.enable_ftps or not host:
        return []
    secure = "set ftp:ssl-force yes; set ftp:ssl-protect-data yes"
    return [
        Way("FTPS", "Copy files where SFTP is not at hand", f"lftp -e '{secure}' -u {login} ftp://{host}:{port}/"),
        Way("curl", "Send one file", f"curl --ssl-reqd --user {login} --upload-file FILE ftp://{host}:{port}/"),
    ]


def _davs_ways(site: Configuration, login: str) -> list[Way]:
    host, port = site.user_davs_address, site.user_davs_show_port or site.user_davs_port
    if not site.enable_davs or not host:
        return []
    address = f"https://{host}{'' if port == 443 else f':{port}'}/"
    return [
        Way("WebDAV", "Have your files as a network drive", address),
        Way("curl", "Send one file", f"curl --user {login} --upload-file FILE {address}"),
    ]
