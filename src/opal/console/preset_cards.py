"""Presets as cards: grouped by channel, with their size and rules in words. Used by the start page."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from opal.console.words import words
from opal.marketplaces.compliance import limit_text
from opal.marketplaces.presets import Preset
from opal.marketplaces.rule import Rule
from opal.report_page.wording import rule_name, sized

_LONGEST = 36.0


@dataclass(frozen=True, slots=True)
class PresetCard:
    """One preset, ready to show; ``wide`` and ``high`` are a drawing's sides of the same aspect."""

    name: str
    title: str
    size: str
    description: str
    rules: list[str]
    wide: float
    high: float


@dataclass(frozen=True, slots=True)
class Channel:
    """Presets of one marketplace, or those for everything."""

    name: str
    cards: list[PresetCard]


def channels(presets: Sequence[Preset], own: Collection[str]) -> list[Channel]:
    """Every preset under its channel: the tenant's own first, then those for everything, then by name.

    Channels with several presets and those with one take turns, so that they fill rows of four.
    """
    grouped: dict[str, list[Preset]] = {}
    for preset in presets:
        grouped.setdefault("own" if preset.name in own else preset.channel, []).append(preset)
    first = [name for name in ("own", "general") if name in grouped]
    names = sorted(grouped.keys() - set(first))
    wide = [name for name in names if len(grouped[name]) > 1]
    single = [name for name in names if len(grouped[name]) == 1]
    pairs = chain.from_iterable(zip_longest(wide, single[: len(wide)]))
    order = [*first, *(name for name in pairs if name), *single[len(wide) :]]
    return [Channel(_title(name), [_card(preset) for preset in grouped[name]]) for name in order]


def _title(channel: str) -> str:
    name = f"channel.{channel}"
    return words().say(name) if words().has(name) else channel.replace("-", " ").capitalize()


def _card(preset: Preset) -> PresetCard:
    kind = preset.format.upper()
    wide, high = preset.width or 1, preset.height or 1
    scale = _LONGEST / max(wide, high)
    size = words().say("start.own_size") if preset.native else f"{preset.width} × {preset.height}"
    return PresetCard(
        name=preset.name,
        title=preset.title,
        size=f"{size} {kind}",
        description=_without_size(preset),
        rules=list(dict.fromkeys(_rule_in_words(rule) for rule in preset.rules if rule.authority != "own")),
        wide=round(wide * scale, 1),
        high=round(high * scale, 1),
    )


def _without_size(preset: Preset) -> str:
    """The description without the size at its beginning, which the card has in a line of its own."""
    text = preset.description
    for size in (f"{preset.width} x {preset.height} {word}" for word in ("progressive JPEG", *_FORMATS)):
        text = text.removeprefix(f"{size} ").removeprefix(f"{size}, ")
    return text[:1].upper() + text[1:]


_FORMATS = ("JPEG", "WebP", "AVIF", "TIFF", "PNG")


def _rule_in_words(rule: Rule) -> str:
    limits = {"minimum": rule.minimum, "maximum": rule.maximum, "equals": rule.equals}
    told = {kind: limit for kind, limit in limits.items() if limit is not None}
    if len(told) == 1 and not rule.one_of:
        [(kind, limit)] = told.items()
        name = f"rule.{rule.rule}.{kind}"
        if isinstance(limit, bool):
            name += f".{'yes' if limit else 'no'}"
        if words().has(name):
            number = limit if isinstance(limit, int | float) else 0
            return words().say(
                name, limit=f"{limit:,g}" if number else limit, share=f"{number:.0%}", size=sized(int(number))
            )
    return f"{rule_name(rule.rule)} {limit_text(rule)}"
