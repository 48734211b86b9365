"""Who may log in: one decision for every protocol, with its delays, its second factor and its audit log."""

from .attempt import LOGIN_METHODS, Attempt, Method, Outcome, Reason, Service
from .decision import Logins

__all__ = ["LOGIN_METHODS", "Attempt", "Logins", "Method", "Outcome", "Reason", "Service"]
