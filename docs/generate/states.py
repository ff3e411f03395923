"""docs/states.md from ``opal.items.states``: the diagram, the legal moves, who may be cancelled."""

from collections.abc import Iterable

from docs.generate.regions import code, table

from opal.items.states import CANCELLABLE, MOVES, TERMINAL, ItemState


def parts() -> dict[str, str]:
    """The generated parts of the page."""
    return {"diagram": _diagram(), "states": _states(), "moves": _moves()}


def _diagram() -> str:
    """A Mermaid state diagram; the three ends lead to the final dot."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {ItemState.CREATED}"]
    lines += [f"    {move.source} --> {move.target}: {move.by}" for move in MOVES]
    lines += [f"    {state} --> [*]" for state in ItemState if state in TERMINAL]
    return "\n".join([*lines, "```"])


def _states() -> str:
    rows = [
        (
            code(state),
            _listed(move.source for move in MOVES if move.target is state and move.source is not state),
            _listed(move.target for move in MOVES if move.source is state and move.target is not state),
            "yes" if state in CANCELLABLE else "",
        )
        for state in ItemState
    ]
    return table(("State", "Comes from", "Goes to", "Can be cancelled"), rows)


def _listed(states: Iterable[ItemState]) -> str:
    return ", ".join(code(state) for state in states)


def _moves() -> str:
    rows = [(code(move.source), code(move.target), move.by, move.when) for move in MOVES]
    return table(("From", "To", "Made by", "When"), rows)
