"""Every word that the pages say, from one file per language, `console/words/en.toml` so far."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

# What pages and modules both say.
_SHARED = ("state.", "status.")


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences by their dotted names; ``script`` are those that the modules say."""

    sentences: dict[str, str]
    script: dict[str, str]

    def say(self, name: str, /, **values: object) -> str:
        """The sentence, its ``{gaps}`` filled. Raises ``KeyError`` for one that there is not."""
        return self.sentences[name].format(**values)

    def has(self, name: str) -> bool:
        """Whether there is such a sentence."""
        return name in self.sentences

    def count(self, name: str, number: int, **values: int) -> str:
        """``1 photo``, ``2,000 photos``; ``values`` are further numbers of the sentence."""
        further = {gap: f"{value:,}" for gap, value in values.items()}
        return self.say(f"{name}.{'one' if number == 1 else 'other'}", count=f"{number:,}", **further)


@lru_cache(maxsize=1)
def words() -> Words:
    """The words of the pages."""
    text = (resources.files("opal.console") / "words" / "en.toml").read_text("utf-8")
    document = tomllib.loads(text)
    sentences = dict(_flat(document))
    script = {
        name.removeprefix("script."): text
        for name, text in sentences.items()
        if name.startswith(("script.", *_SHARED))
    }
    return Words(sentences, script)


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found = []
    for key, value in table.items():
        name = f"{prefix}{key}"
        found += _flat(value, f"{name}.") if isinstance(value, dict) else [(name, str(value))]
    return found
