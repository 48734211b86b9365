"""Certificates that prove who a user is: how the site issues and revokes them, and whom one names."""

from .subjects import CertificateNameError, client_id_of

__all__ = ["CertificateNameError", "client_id_of"]
