"""Numbers in texts of strangers: headers, message ids, properties."""


def natural(text: str, digits: int = 9) -> int | None:
    """The number that ``text`` writes in at most so many ASCII digits; None for any other text.

    Alone, ``isdigit`` lets through what ``int`` refuses, such as a superscript or thousands of digits.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
