"""The page that tells programmers of the API, made from its OpenAPI schema without any script."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="page.css"></head>
<body><header><h1>{title} {version}</h1><a href="./">/</a> <a href="openapi.json">openapi.json</a>
</header><main>"""
FOOT = "</main></body></html>\n"


def api_page(schema: Mapping[str, Any]) -> str:
    """A page in HTML: each path, what it is for, what it takes.

    schema: as `FastAPI.openapi` makes it.
    """
    about = schema["info"]
    parts = [HEAD.format(title=escape(about["title"]), version=escape(about["version"]))]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.append(f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(operation.get('summary', ''))}</p>")
            parts.extend(_body(operation, schema))
    return "\n".join([*parts, FOOT])


def _body(operation: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        taken = _resolved(content["schema"], schema)
        yield '<div class="wide"><table><tr><th>field</th><th>type</th><th></th></tr>'
        for name, field in taken.get("properties", {}).items():
            is_needed = name in taken.get("required", ())
            about = [field.get("description", ""), "required" if is_needed else _default(field)]
            cells = [f"<code>{escape(name)}</code>", escape(_type(field, schema))]
            cells.append(escape("; ".join(filter(None, about))))
            yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        yield "</table></div>"


def _type(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    field = _resolved(field, schema)
    if "anyOf" in field:
        return " or ".join(_type(one, schema) for one in field["anyOf"])
    if "enum" in field:
        return " or ".join(map(repr, field["enum"]))
    if field.get("type") == "array":
        return f"list of {_type(field['items'], schema)}"
    if "properties" in field:
        return f"object of {', '.join(field['properties'])}"
    limits = {"minimum": "from", "maximum": "to", "minLength": "from", "maxLength": "to"}
    told = [f"{word} {field[key]}" for key, word in limits.items() if key in field]
    unit = ["characters"] if told and field.get("type") == "string" else []
    return " ".join([str(field.get("type", "")), *told, *unit])


def _default(field: Mapping[str, Any]) -> str:
    return f"by default {field['default']}" if field.get("default") is not None else ""


def _resolved(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = field.get("$ref")
    if name is None:
        return field
    found: Mapping[str, Any] = schema["components"]["schemas"][name.rpartition("/")[2]]
    return found
