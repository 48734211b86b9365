"""The owner of an application with the MIG assembly, at its page in a browser."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.sync_api import Page, expect

from .grids import PROJECT, Grid

USERNAME = "ada"
PASSWORD = "Sample-Pass-01"
PAGE_PORT = 8443
LATER = "2099-01-01T00:00:00+00:00"
SCREENSHOTS = PROJECT / "build" / "screenshots"


@dataclass
class Owner:
    """One browser with one page open. `statuses` are what a move's page said, each when it changed."""

    page: Page
    statuses: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Remember what the page says of moves from now on, on whichever grid it comes from."""
        self.page.expose_function("said", lambda text: self.statuses.append(text))
        self.page.add_init_script("""addEventListener("DOMContentLoaded", () => {
            const status = document.getElementById("status");
            if (status) new MutationObserver(() => said(status.textContent)).observe(status, {childList: true});
        })""")

    def visit(self, grid: Grid, path: str = "/") -> None:
        self.page.goto(f"https://{grid.address}:{PAGE_PORT}{path}")

    def log_in(self, password: str = PASSWORD) -> None:
        self.page.get_by_label("Username").fill(USERNAME)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")

    def choose(self, grid: Grid, action: str = "Migrate", app: str = "", at: str = "") -> None:
        """Ask for the plan of a move."""
        self.page.get_by_label(grid.name, exact=True).check()
        self.page.get_by_label(action, exact=True).check()
        if app:
            self.page.get_by_label("Its name there").fill(app)
        if at:
            self.page.get_by_text("More options").click()
            self.page.get_by_label("Or at a time").fill(at)
        self.page.get_by_role("button", name="Show the plan").click()

    def confirm(self) -> None:
        """Start what the plan says."""
        expect(self.page.get_by_role("heading", name="What will happen")).to_be_visible()
        self.page.get_by_label("Yes, ").check()
        self.page.get_by_role("button", name=" now").click()
        expect(self.page.locator("#status")).to_be_visible()

    def reads(self, text: str, seconds: float = 60.0) -> None:
        """The page shows this in time, by itself."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=seconds * 1000)

    def shot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"moved-{name}.png", full_page=True)
