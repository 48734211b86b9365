"""What the site's configuration says about its OpenID Connect provider."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..configuration import Configuration
from ..errors import ConfigurationError

SESSION_SECONDS = 43200
ID_TOKEN_SECONDS = 600


@dataclass(frozen=True)
class Settings:
    """`directory` has the database of sessions, and in a directory of their own the keys, which nobody else reads."""

    issuer: str
    directory: Path
    session_seconds: int = SESSION_SECONDS
    title: str = "Minimum intrusion Grid"
    support_email: str | None = None
    style_sheet: str | None = None

    @classmethod
    def of_site(cls, site: Configuration) -> Settings:
        """Raises ConfigurationError for a site without an issuer."""
        if not site.user_mig_oidc_issuer:
            raise ConfigurationError(
                f"{site.path}: [GLOBAL] user_mig_oidc_issuer: is missing; "
                "write the address of the provider, such as https://oidc.grid.example.org/openid/"
            )
        return cls(
            issuer=site.user_mig_oidc_issuer,
            directory=site.openid_store,
            session_seconds=site.openid_session_lifetime,
            title=site.title,
            support_email=site.support_email,
            style_sheet=site.static_css,
        )

    @property
    def keys_directory(self) -> Path:
        """Where the signing keys are."""
        return self.directory / "keys"

    @property
    def keys_kept_seconds(self) -> int:
        """How long what a key signed is of use: an ID token names its session when that ends."""
        return self.session_seconds + ID_TOKEN_SECONDS

    @property
    def base_path(self) -> str:
        """The path of the issuer, below which all addresses of the provider are; without a slash at its end."""
        return urlsplit(self.issuer).path.rstrip("/")

    def url(self, name: str) -> str:
        """The address of one of the provider's endpoints."""
        return f"{self.issuer.rstrip('/')}/{name}"
