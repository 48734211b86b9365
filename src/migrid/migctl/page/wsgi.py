"""What Apache runs: the page of the container that this is in."""

from migrid.migctl.page.application import create_app

application = create_app()
