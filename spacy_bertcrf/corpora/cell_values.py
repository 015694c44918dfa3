"""What a table's cell holds where a program wrote a list or an object into it."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_OPENS = ("[", "{", "(")
_STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
# NumPy prints arrays without commas, and Python would join the strings in one.
_ARRAY = re.compile(rf"\[\s*(?:(?:{_STRING})(?:\s+|(?=\]))|-?\d+(?:\s+|(?=\])))*\]", re.DOTALL)
_ITEM = re.compile(rf"{_STRING}|-?\d+", re.DOTALL)


def parse_cell(cell: str) -> Any:
    """Read a cell: lists and objects as JSON, Python or NumPy write them, tuples as lists; whatever
    else as the text that it is. Nothing in it is executed."""
    text = cell.strip()
    if not text.startswith(_OPENS):
        return cell
    if _ARRAY.fullmatch(text):
        return [ast.literal_eval(item) for item in _ITEM.findall(text)]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return _as_lists(ast.literal_eval(text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return cell


def _as_lists(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_as_lists(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _as_lists(of) for key, of in value.items()}
    if isinstance(value, str | int | float) or value is None:
        return value
    raise ValueError("no value that JSON has")
