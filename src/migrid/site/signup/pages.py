"""The forms with which people ask for an account, and the page that offers the ways in.

Whatever somebody types, the answer is the same whether or not there is such a user: only the mail differs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ...web import forms
from .. import mail, proofs
from ..errors import FieldError
from ..identity import Name, check_text
from ..logins.attempt import Method
from ..passwords import check_policy, hash_password, parse_policy
from ..proofs import NoProofError, Proof
from . import deciding
from .context import sign_up
from .requests import Request

FORM_COOKIE = "__Host-signup-form"
NAME_FIELDS = ("full_name", "organization", "country", "email")
COMMENT_CHARACTERS = 1000
STALE = "This page was open for too long, or the browser does not keep cookies. Please try again."
TOO_MUCH = "Too many requests came from your address. Please try again in an hour."
LABELS = {
    "full_name": "Full name",
    "organization": "Organization",
    "country": "Country",
    "email": "E-mail address",
    "comment": "Comment",
    "password": "Password",
}

routes = Blueprint("signup", __name__, template_folder="templates")


class Way(NamedTuple):
    """A way in: its name, its address, and who takes it."""

    name: str
    address: str
    purpose: str


@routes.get("/")
@routes.get("/login.py")
def log_in() -> ResponseReturnValue:
    """The ways in that the site has."""
    return render_template("ways.html", ways=_ways(), asks=_methods_of_form())


@routes.get("/reqcert.py")
def show_form() -> ResponseReturnValue:
    """The form of somebody who has no other proof than a password of one's own choice."""
    _need(_methods_of_form())
    return _form("reqcert.html")


@routes.post("/reqcert.py")
def send_form() -> ResponseReturnValue:
    """Take the request."""
    _need(_methods_of_form())
    try:
        name, comment = _typed_name(), _comment()
        password = _password()
    except FieldError as error:
        return _form("reqcert.html", f"{LABELS[error.field]}: {error.problem}.", 400)
    return _taken_in(
        "reqcert.html", Request(client_id=name.client_id, method=Method.MIGOIDC, comment=comment), password
    )


@routes.get("/extcert.py", defaults={"method": Method.EXTCERT})
@routes.get("/extoidc.py", defaults={"method": Method.EXTOIDC})
def show_external(method: Method) -> ResponseReturnValue:
    """What a certificate of another authority, or another provider, says about the person, and the request."""
    proof = _proof(method)
    return _form("external.html", proof=proof) if proof else _elsewhere(method)


@routes.post("/extcert.py", defaults={"method": Method.EXTCERT})
@routes.post("/extoidc.py", defaults={"method": Method.EXTOIDC})
def send_external(method: Method) -> ResponseReturnValue:
    """Take the request."""
    proof = _proof(method)
    if proof is None:
        return _elsewhere(method)
    try:
        name, comment = proof.name or _typed_name(), _comment()
    except FieldError as error:
        return _form("external.html", f"{LABELS[error.field]}: {error.problem}.", 400, proof=proof)
    wanted = Request(
        client_id=name.client_id,
        method=method,
        comment=comment,
        external=proof.external,
        email_is_proven=proof.email_is_proven,
    )
    return _taken_in("external.html", wanted, proof=proof)


@routes.get("/confirmmail.py")
def show_confirmation() -> ResponseReturnValue:
    """Where the link of a mail leads; programs that look at mail open it too, so that it changes nothing by itself."""
    return _form("confirm.html", token=request.args.get("token", ""))


@routes.post("/confirmmail.py")
def confirm() -> ResponseReturnValue:
    """The address is proven."""
    if not forms.is_own_form(FORM_COOKIE):
        return _form("confirm.html", STALE, 403, token=request.form.get("token", ""))
    found = sign_up().requests.confirm(request.form.get("token", ""))
    if found is None:
        return render_template("confirmed.html", known=False), 404
    deciding.announce(sign_up().site, found)
    return render_template("confirmed.html", known=True)


@routes.get("/sent.py")
def sent() -> ResponseReturnValue:
    """What happens next."""
    return render_template("sent.html", mail=mail.is_enabled(sign_up().site))


def _taken_in(template: str, wanted: Request, password: str = "", **values: Any) -> ResponseReturnValue:
    if not forms.is_own_form(FORM_COOKIE):
        return _form(template, STALE, 403, **values)
    if not sign_up().is_calm():
        return _form(template, TOO_MUCH, 429, **values)
    if password:
        wanted = replace(wanted, password_hash=hash_password(password))
    _keep(wanted)
    return redirect(url_for(".sent"), 303)


def _keep(wanted: Request) -> None:
    site, requests = sign_up().site, sign_up().requests
    if wanted.email_is_proven or not mail.is_enabled(site):
        if not requests.has(wanted.client_id, wanted.method):
            requests.add(wanted)
            deciding.announce(site, wanted)
    elif sign_up().may_mail(wanted.name.email):
        if deciding.is_taken(site, wanted):
            mail.post(site, [wanted.name.email], "You have an account", _known())
        else:
            token = requests.add(wanted, waits_for_mail=True)
            mail.post(site, [wanted.name.email], "Confirm your e-mail address", _asked(wanted, token))


def _asked(wanted: Request, token: str) -> str:
    site = sign_up().site
    link = f"{site.migserver_https_sid_url}{url_for('.show_confirmation')}?{urlencode({'token': token})}"
    return (
        f"Dear {wanted.name.full_name},\n\n"
        f"somebody, probably you, asks for an account on {site.title} with this address.\n"
        f"Confirm it within two days:\n\n{link}\n\n"
        "If it was not you, do nothing: then there will be no account.\n"
    )


def _known() -> str:
    site = sign_up().site
    return (
        f"somebody, probably you, asks for an account on {site.title} with this address. You have one already.\n\n"
        f"Log in: {site.migserver_https_sid_url}{url_for('.log_in')}\n"
    )


def _typed_name() -> Name:
    return Name(**{field: request.form.get(field, "") for field in NAME_FIELDS})


def _comment() -> str:
    return check_text("comment", " ".join(request.form.get("comment", "").split()), COMMENT_CHARACTERS)


def _password() -> str:
    password = request.form.get("password", "")
    if not password:
        raise FieldError("password", "is missing")
    if password != request.form.get("again", ""):
        raise FieldError("password", "the two passwords differ")
    check_policy(password, sign_up().site.password_policy)
    return password


def _methods_of_form() -> list[str]:
    return [method for method in (Method.MIGOIDC, Method.MIGCERT) if method in sign_up().site.signup_methods]


def _need(methods: object) -> None:
    """A way to sign up that the site does not have is no page."""
    if not methods:
        abort(404)


def _proof(method: Method) -> Proof | None:
    """What the virtual host has proven with this method."""
    _need(method in sign_up().site.signup_methods)
    try:
        proof = proofs.read(request.environ)
    except NoProofError:
        return None
    return proof if proof.method is method else None


def _elsewhere(method: Method) -> ResponseReturnValue:
    """The way to the virtual host that can prove it."""
    site = sign_up().site
    hosts = {Method.EXTCERT: site.migserver_https_ext_cert_url, Method.EXTOIDC: site.migserver_https_ext_oidc_url}
    here = request.host_url.rstrip("/")
    host = hosts[method] if hosts[method] != here else None
    page = url_for(".show_external", method=method)
    return render_template("elsewhere.html", address=f"{host}{page}" if host else "", method=method)


def _form(template: str, problem: str = "", status: int = 200, **values: Any) -> Response:
    """The form, with what was typed but for passwords."""
    token = forms.form_token(FORM_COOKIE)
    policy = parse_policy(sign_up().site.password_policy)
    typed = {field: request.form.get(field, "") for field in (*NAME_FIELDS, "comment")}
    html = render_template(template, problem=problem, form_token=token, typed=typed, policy=policy, **values)
    response = make_response(html, status)
    forms.set_cookie(response, FORM_COOKIE, token)
    return response


def _ways() -> list[Way]:
    site = sign_up().site
    ways = (
        Way("Login and password", site.migserver_https_mig_oidc_url or "", "You have a login of this site."),
        Way("Account of your organization", site.migserver_https_ext_oidc_url or "", "Your organization knows you."),
        Way("Certificate of this site", site.migserver_https_mig_cert_url or "", "It is in your browser."),
        Way("Certificate of your organization", site.migserver_https_ext_cert_url or "", "It is in your browser."),
    )
    return [way for way in ways if way.address]
