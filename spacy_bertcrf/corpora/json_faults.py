"""Says what is wrong where JSON breaks off, and how it is mended."""

import json
import re

_NEAR = 200
_TRAILING_COMMA = re.compile(r",\s*[\]}]")
_PYTHON = re.compile(r"'|True\b|False\b|None\b")


def explain(error: Exception, text: str) -> str:
    """What is wrong with a text that was to be JSON, in a part of a sentence.

    error: what reading it raised.
    text: the text that the error's place is in.
    """
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    before = text[max(error.pos - _NEAR, 0) : error.pos].rstrip()
    after = text[error.pos : error.pos + _NEAR].lstrip()
    if _TRAILING_COMMA.match(after) or _TRAILING_COMMA.match(before[-1:] + after):
        return f"{error.msg} (take the comma before the closing bracket out)"
    if _PYTHON.match(after):
        return f"{error.msg} (this is how Python prints it; json.dump writes JSON)"
    return error.msg
