"""A site with two users, and its portal."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from portal_browser import ADA, BO, Browser
from sample_site import SampleSite

from migrid.site.configuration import load
from migrid.site.portal.application import build


@pytest.fixture
def client(sample_site: SampleSite) -> FlaskClient:
    sample_site.inside("createuser", "-i", ADA)
    sample_site.inside("createuser", "-i", BO)
    return build(load(sample_site.conf)).test_client()


@pytest.fixture
def ada(client: FlaskClient) -> Browser:
    return Browser(client, ADA)
