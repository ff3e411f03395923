"""Writes a tiny ONNX network by hand, so that the tests need neither the onnx package nor a download.

The network answers with the mean of its three input channels; protobuf's wire format is simple enough.
"""

from collections.abc import Sequence


def mean_network(side: int | None, *, channels_kept: bool = False) -> bytes:
    """ONNX bytes: (1, 3, side, side) to the mean over channels; None leaves height and width open.

    With `channels_kept` it gives the input back instead, which is no matte.
    """
    dims: Sequence[int | str] = (1, 3, "h", "w") if side is None else (1, 3, side, side)
    answer: Sequence[int | str] = dims if channels_kept else (1, 1, *dims[2:])
    axes = _text(1, "axes") + _number(8, 1) + _number(20, 7)  # INTS
    keep = _text(1, "keepdims") + _number(3, 1) + _number(20, 2)  # INT
    node = _text(1, "photo") + _text(2, "matte")
    if channels_kept:
        node += _text(4, "Identity")
    else:
        node += _text(4, "ReduceMean") + _bytes(5, axes) + _bytes(5, keep)
    graph = _bytes(1, node) + _text(2, "mean") + _bytes(11, _value("photo", dims))
    graph += _bytes(12, _value("matte", answer))
    return _number(1, 7) + _bytes(7, graph) + _bytes(8, _number(2, 13))


def outside_weights(side: int, location: str) -> bytes:
    """ONNX bytes of a network that adds one number, which lies in another file: the matte is no matter."""
    dims = (1, 3, side, side)
    entry = _text(1, "location") + _text(2, location)
    number = _number(1, 1) + _number(2, 1) + _text(8, "w") + _bytes(13, entry) + _number(14, 1)  # EXTERNAL
    node = _text(1, "photo") + _text(1, "w") + _text(2, "matte") + _text(4, "Add")
    graph = _bytes(1, node) + _text(2, "add") + _bytes(5, number)
    graph += _bytes(11, _value("photo", dims)) + _bytes(12, _value("matte", dims))
    return _number(1, 7) + _bytes(7, graph) + _bytes(8, _number(2, 13))


def _value(name: str, dims: Sequence[int | str]) -> bytes:
    shape = b"".join(_bytes(1, _number(1, d) if isinstance(d, int) else _text(2, d)) for d in dims)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, shape)))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
