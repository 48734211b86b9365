"""The decision itself: from an attempt, with a password or a proof, to its outcome."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime

from ...networks import network_of
from ..configuration import Configuration
from ..errors import FieldError
from ..passwords import NO_POLICY, check_policy, verify
from ..store import User, UserStore
from . import audit
from .attempt import Attempt, Method, Outcome, Reason, Service
from .history import Admission, Guess, History, path_of
from .permission import permission

_LONGEST_LOGIN = 2048
_NOBODYS_HASH = f"$y$j9T${'.' * 22}${'.' * 43}"


class Logins:
    """Who may log in to a site. Safe from several threads and processes; runs as the site's account.

    Every call of `by_password` and `by_proof` writes one line to the log, and raises MigError when the user store,
    the history or the log cannot be used: then nobody is let in.
    """

    def __init__(self, site: Configuration, clock: Callable[[], float] = time.time) -> None:
        self._site = site
        self._clock = clock

    def by_password(self, attempt: Attempt, password: str, code: str = "") -> Outcome:
        """Decide about who typed a password, and the code of a second factor when there is one."""
        now, login, user = self._clock(), canonical_login(attempt.login), self._find(attempt.login)
        guess = Guess(login, network_of(attempt.address), user.client_id if user else "", f"{password}\0{code}")
        with History(path_of(self._site)) as history:
            admission = history.admit(guess, now)
            if admission.wait:
                return self._ended(attempt, Outcome(Reason.TOO_EARLY, retry_after=admission.wait), now)
            reason = self._judge(user, attempt, password, code, now)
            _settle(history, admission, reason, now)
        return self._ended(attempt, Outcome(reason, user if reason is Reason.GRANTED else None), now)

    def by_proof(self, attempt: Attempt) -> Outcome:
        """Decide about whom a certificate, a provider or a key has proven to be `attempt.login`."""
        now, user = self._clock(), self._find(attempt.login)
        reason = self._permission(user, attempt.service, attempt.method, now) if user else Reason.UNKNOWN
        if not user or reason is not Reason.GRANTED:
            return self._ended(attempt, Outcome(reason), now)
        with History(path_of(self._site)) as history:
            history.succeeded(user.client_id, canonical_login(attempt.login), network_of(attempt.address), now)
        return self._ended(attempt, Outcome(reason, user), now)

    def still(self, client_id: str, service: Service, method: Method) -> User | None:
        """The user who logged in so, if that is still allowed."""
        user = self._find(client_id)
        if not user or user.client_id != client_id:
            return None
        return user if self._permission(user, service, method, self._clock()) is Reason.GRANTED else None

    def _find(self, login: str) -> User | None:
        with UserStore(self._site.user_db_path, read_only=True) as store:
            return store.find(canonical_login(login))

    def _judge(self, user: User | None, attempt: Attempt, password: str, code: str, now: float) -> Reason:
        """Look at the password first, so that nobody who lacks it learns anything about the user."""
        is_right = _is_password(password, user.credentials(attempt.service).password_hash if user else "")
        if not user:
            return Reason.UNKNOWN
        if not is_right:
            return Reason.WRONG
        reason = self._permission(user, attempt.service, attempt.method, now)
        if reason is Reason.GRANTED and attempt.service is Service.WEB:
            return self._judge_code(user, code, now)
        return reason

    def _permission(self, user: User, service: Service, method: Method, now: float) -> Reason:
        return permission(user, service, method, datetime.fromtimestamp(now, UTC).date(), self._site.login_methods)

    def _judge_code(self, user: User, code: str, now: float) -> Reason:
        from . import totp  # only here: mig-login, which never needs it, must start fast

        with UserStore(self._site.user_db_path) as store:
            factor = store.second_factor(user.client_id)
            if not factor or not factor.confirmed:
                return Reason.GRANTED
            if not code:
                return Reason.CODE_MISSING
            step = totp.matching_step(factor.secret, code, now)
            if step is None or not store.use_step(user.client_id, step):
                return Reason.CODE_WRONG
        return Reason.GRANTED

    def _ended(self, attempt: Attempt, outcome: Outcome, now: float) -> Outcome:
        audit.write(self._site.log_dir / audit.FILE_NAME, attempt, outcome.reason, now)
        return outcome


def canonical_login(login: str) -> str:
    """The client id or alias as the user store has it; a text that can be neither stays different from all."""
    text = login[:_LONGEST_LOGIN].encode(errors="backslashreplace").decode()
    if text.startswith("/"):
        return text
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def _is_password(password: str, password_hash: str) -> bool:
    """Whether the password is right; that takes the same time for a user who has none, and for a password that
    crypt(3) does not take, such as the one that sshd puts in the place of what an unknown user typed."""
    try:
        check_policy(password, NO_POLICY)
    except FieldError:
        password, password_hash = "", ""
    return verify(password, password_hash or _NOBODYS_HASH) and bool(password_hash)


def _settle(history: History, admission: Admission, reason: Reason, now: float) -> None:
    """Make the history true: until now the attempt is a failure in it."""
    if reason is Reason.GRANTED:
        guess = admission.guess
        history.succeeded(guess.client_id, guess.login, guess.address, now)
    elif reason is Reason.CODE_WRONG:
        history.wrong_code(admission, now)
    elif reason not in (Reason.WRONG, Reason.UNKNOWN):
        history.withdraw(admission)
