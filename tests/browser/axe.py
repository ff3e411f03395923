"""axe-core, which finds what keeps people out; fetched once as an npm package pinned by hash."""

from functools import lru_cache

from playwright.sync_api import Page
from tests.pinned_npm import unpacked

_PACKAGES = {
    "axe-core": ("axe-core@4.14.1", "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745")
}
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@lru_cache(maxsize=1)
def _source() -> str:
    return (unpacked("axe-core", _PACKAGES) / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(page: Page) -> list[str]:
    """Every broken rule of WCAG 2.2 AA with the elements that break it."""
    page.evaluate(_source())
    found = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", _RULES)
    return [
        f"{each['id']}: {each['help']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
