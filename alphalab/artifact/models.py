"""Model files: only formats that hold numbers and graphs, and nothing that runs when it is read."""

from __future__ import annotations

from typing import Any

import msgspec

from alphalab.errors import ArtifactError

_MOST_HEADER = 100_000_000
_VARINT, _BYTES = 0, 2  # wire types of protobuf
#: Fields of ONNX's ModelProto and their wire types; see onnx.proto.
_ONNX_FIELDS = {
    1: _VARINT,  # ir_version
    2: _BYTES,  # producer_name
    3: _BYTES,  # producer_version
    4: _BYTES,  # domain
    5: _VARINT,  # model_version
    6: _BYTES,  # doc_string
    7: _BYTES,  # graph
    8: _BYTES,  # opset_import
    14: _BYTES,  # metadata_props
    20: _BYTES,  # training_info
    25: _BYTES,  # functions
    26: _BYTES,  # configuration
}


def check_model(name: str, content: bytes) -> None:
    """Refuse a model file whose content is not what its name says.

    Raises
    ------
    ArtifactError
        Neither safetensors nor ONNX; a pickle is neither.
    """
    is_right = is_safetensors(content) if name.endswith(".safetensors") else is_onnx(content)
    if not is_right:
        raise ArtifactError(
            f"{name} is not what its name says",
            rule="a model is a safetensors or an ONNX file: nothing in it runs when it is read.",
            fix="Export it again; pickled models (.pt, .pkl, .joblib) are never taken.",
        )


def is_safetensors(content: bytes) -> bool:
    """Return True if bytes are a safetensors file: a JSON header, then all tensors without gaps."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or not 2 <= size <= min(_MOST_HEADER, len(content) - 8):
        return False
    try:
        header = msgspec.json.decode(content[8 : 8 + size], type=dict[str, dict[str, Any]])
        header.pop("__metadata__", None)
        spans = sorted(tuple(tensor["data_offsets"]) for tensor in header.values())
    except (msgspec.MsgspecError, KeyError, TypeError, RecursionError):
        return False
    end = 0
    for span in spans:
        if len(span) != 2 or span[0] != end or not isinstance(span[1], int) or span[1] < end:
            return False
        end = span[1]
    return end == len(content) - 8 - size


def is_onnx(content: bytes) -> bool:
    """Return True if bytes are an ONNX model: fields of a ModelProto to the last byte, a graph."""
    place, seen = 0, set()
    while place < len(content):
        key, place = _varint(content, place)
        field, wire = key >> 3, key & 7
        if place < 0 or _ONNX_FIELDS.get(field) != wire:
            return False
        length, place = _varint(content, place)
        if place < 0:
            return False
        if wire == _BYTES:
            place += length
        seen.add(field)
    return place == len(content) and {1, 7} <= seen


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Return a protobuf integer and the place behind it; place -1: there is none."""
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(content):
            return 0, -1
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
    return 0, -1
