"""An application on model grids, and its owner at the page."""

from __future__ import annotations

import pytest
from migctl_rig import Inside, inside
from owned_grids import OwnedGrids
from page_browser import Browser, desk_of, owner


@pytest.fixture
def there(grids: OwnedGrids) -> Inside:
    return inside(grids, grids.a)


@pytest.fixture
def ada(there: Inside) -> Browser:
    return owner(desk_of(there))
