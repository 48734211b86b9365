"""The settings: public keys, passwords, the second factor and the sessions of the user who asks."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ..errors import EntriesError, FieldError
from ..keys import fingerprint, parse_public_key
from ..logins import Service, second_factor
from ..passwords import check_policy, parse_policy
from . import qr, sessions
from .account import RefusedError, change, has_web_password, may_have_password, services_with_passwords
from .browsers import browser_name
from .confirmation import check_password, confirmed, is_confirmed
from .context import portal, visitor

routes = Blueprint("settings", __name__)
routes.add_app_template_filter(browser_name)

SENTENCES = {
    "key_added": "The key counts from now on.",
    "key_removed": "The key counts no longer.",
    "password": "You have a new password. Other browsers where you were logged in have to log in again.",
    "service_password": "The service has a password of its own.",
    "service_password_cleared": "The service takes your general password again.",
    "factor_on": "From the next login on, you need a code of your authenticator app.",
    "factor_off": "Logins need no code any more.",
    "session_ended": "The session has ended.",
    "sessions_ended": "All other sessions have ended.",
}


@routes.app_errorhandler(RefusedError)
def refused(error: RefusedError) -> ResponseReturnValue:
    """Show the page again, with what was wrong."""
    return _page(problem=str(error)), error.status


@routes.errorhandler(FieldError)
def not_accepted(error: FieldError) -> ResponseReturnValue:
    """A value that no page can foresee, such as a damaged key."""
    return _page(problem=f"Nothing was changed: the {error.field.replace('_', ' ')} {error.problem}."), 400


@routes.errorhandler(EntriesError)
def not_possible(error: EntriesError) -> ResponseReturnValue:
    """What the user store does not take."""
    return _page(problem=f"Nothing was changed: {error}"), 400


@routes.get("/settings.py")
def settings() -> ResponseReturnValue:
    """The page."""
    return _page(done=SENTENCES.get(request.args.get("done", ""), ""))


@routes.post("/addkey.py")
@confirmed
def add_key() -> ResponseReturnValue:
    """One more public key."""
    user = visitor().user
    lines = filter(None, map(str.strip, request.form.get("key", "").splitlines()))
    keys = [parse_public_key(line) for line in lines]
    if not keys:
        raise RefusedError("Paste the line of a .pub file.")
    by_fingerprint = {fingerprint(key): key for key in (*user.public_keys, *keys)}
    change(portal().site, user, public_keys=list(by_fingerprint.values()))
    return done("key_added")


@routes.post("/rmkey.py")
@confirmed
def remove_key() -> ResponseReturnValue:
    """One public key less."""
    user, unwanted = visitor().user, request.form.get("fingerprint", "")
    change(portal().site, user, public_keys=[key for key in user.public_keys if fingerprint(key) != unwanted])
    return done("key_removed")


@routes.post("/password.py")
def set_password() -> ResponseReturnValue:
    """Another password. Who has none yet sets the first one."""
    user, site = visitor().user, portal().site
    if not may_have_password(site, user):
        raise RefusedError("This account may not have a password.", 403)
    password = _new_password()
    if has_web_password(site, user):
        check_password()
    own = {Service.WEB: {"password_hash": ""}} if user.own_credentials(Service.WEB).password_hash else {}
    change(site, user, password=password, services=own)
    sessions.end_others(password_changed=True)
    return done("password")


@routes.post("/servicepassword.py")
@confirmed
def set_service_password() -> ResponseReturnValue:
    """A password for one service only."""
    service = _service()
    change(portal().site, visitor().user, services={service: {"password": _new_password()}})
    return done("service_password")


@routes.post("/clearpassword.py")
@confirmed
def clear_service_password() -> ResponseReturnValue:
    """Let the general password count at a service again."""
    change(portal().site, visitor().user, services={_service(): {"password_hash": ""}})
    return done("service_password_cleared")


@routes.post("/twofactor.py")
@confirmed
def begin_second_factor() -> ResponseReturnValue:
    """Show a new secret, which counts from the first right code on."""
    if not _may_have_second_factor() or second_factor.is_in_use(portal().site, visitor().user.client_id):
        raise RefusedError("This account cannot get another second factor.", 403)
    return _secret_page(second_factor.begin(portal().site, visitor().user.client_id))


@routes.post("/twofactorconfirm.py")
@confirmed
def confirm_second_factor() -> ResponseReturnValue:
    """Put the second factor in use."""
    site, user = portal().site, visitor().user
    if second_factor.confirm(site, user.client_id, request.form.get("code", ""), time.time()):
        return done("factor_on")
    secret = second_factor.unconfirmed_secret(site, user.client_id)
    if secret is None:
        raise RefusedError("Begin once more.", 409)
    return _secret_page(secret, "The code is wrong. Does the clock of your device go right?"), 403


@routes.post("/twofactoroff.py")
def remove_second_factor() -> ResponseReturnValue:
    """Need no code any more. Takes the password and a code."""
    if portal().site.twofactor_is_mandatory:
        raise RefusedError("This site asks everybody for a second factor.", 403)
    check_password()
    second_factor.remove(portal().site, visitor().user.client_id)
    return done("factor_off")


@routes.post("/endsession.py")
def end_session() -> ResponseReturnValue:
    """Log out another browser."""
    sessions.end(request.form.get("session", ""))
    return done("session_ended")


@routes.post("/endsessions.py")
def end_sessions() -> ResponseReturnValue:
    """Log out all other browsers."""
    sessions.end_others()
    return done("sessions_ended")


def done(act: str) -> Response:
    """The page, which says what was done."""
    return redirect(url_for("settings.settings", done=act), 303)


def _page(**said: str) -> str:
    site, user = portal().site, visitor().user
    values: dict[str, Any] = {
        "keys": [(fingerprint(key), key.split(" ", 2)) for key in user.public_keys],
        "policy": parse_policy(site.password_policy),
        "services": [
            (service, label, bool(user.own_credentials(service).password_hash))
            for service, label in services_with_passwords(site).items()
        ],
        "may_have_password": may_have_password(site, user),
        "has_password": has_web_password(site, user),
        "may_have_factor": _may_have_second_factor(),
        "must_have_factor": site.twofactor_is_mandatory,
        "has_factor": second_factor.is_in_use(site, user.client_id),
        "sessions": sessions.own(),
        "confirmed": is_confirmed(),
    }
    return render_template("settings.html", user=user, **values, **said)


def _secret_page(secret: str, problem: str = "") -> str:
    uri = second_factor.uri(portal().site, visitor().user, secret)
    return render_template("twofactor.html", secret=secret, uri=uri, qr=qr.drawn(uri), problem=problem)


def _may_have_second_factor() -> bool:
    return portal().site.enable_twofactor and has_web_password(portal().site, visitor().user)


def _service() -> Service:
    for service in services_with_passwords(portal().site):
        if service == request.form.get("service"):
            return service
    raise RefusedError("This site has no such service.")


def _new_password() -> str:
    password = request.form.get("password", "")
    if not password:
        raise RefusedError("Enter the new password.")
    if password != request.form.get("again", ""):
        raise RefusedError("The two new passwords differ. Nothing was changed.")
    check_policy(password, portal().site.password_policy)
    return password
