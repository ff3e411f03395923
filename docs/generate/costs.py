"""The tables of docs/costs.md, reckoned by `infra/costs.py`."""

from docs.generate.regions import code, table
from infra.costs import bill, prices, prices_read, usage
from infra.parameters import ENVIRONMENTS


def parts() -> dict[str, str]:
    """A month's bill of each environment, and the prices behind them."""
    return {**{name: _bill(name) for name in ENVIRONMENTS}, "prices": _prices()}


def _bill(environment: str) -> str:
    lines, images = bill(environment), usage(environment).images
    total = sum(line.dollars for line in lines)
    rows = [
        (
            line.part,
            line.what,
            f"{line.quantity:,.0f} × {prices()[line.price].unit}",
            f"{line.dollars:,.2f}",
        )
        for line in lines
    ]
    rows.append(("**Together**", f"{images:,} images a month", "", f"**{total:,.2f}**"))
    rows.append(("per thousand images", "", "", f"{total / images * 1000:,.2f}"))
    return table(("Part", "What", "How much", "USD a month"), rows)


def _prices() -> str:
    rows = [
        (code(name), f"{price.amount:.6f}".rstrip("0").rstrip("."), price.unit, price.evidence, price.source)
        for name, price in prices().items()
    ]
    head = f"Read on {prices_read()}, in US dollars, East US, without tax."
    return f"{head}\n\n" + table(("Price", "USD", "per", "Evidence", "Source"), rows)
