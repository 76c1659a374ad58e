"""The API described by itself: OpenAPI 3.1, made from the table and the structs that validate."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from linkray.model.asks import EV, INSTALLER

from .guard import COOKIE
from .table import NOBODY, Entry

_PARAMETER = re.compile(r"\{(\w+)(:int)?\}")
PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "path": {"type": "string", "description": "The field that is wrong, as JSON path"},
    },
}
LEVELS = ("nobody", "EV", "Installer", "Assembler")
SCOPES = (
    "An API key. Scope `read` sees what level EV sees and changes nothing, not even a start or a "
    "stop; scope `write` may whatever an Installer may."
)

FILES = {
    "ocpp_file": "text/plain", "export_alerts": "text/csv", "export_tags": "text/csv",
    "export_transactions": "text/csv", "log_file": "text/plain", "maintenance_report": "text/html",
    "certificate_file": "text/plain", "certificate_request": "text/plain",
    "own_meter": "text/plain",
}  # fmt: skip


def document(table: tuple[Entry, ...], version: str) -> dict[str, Any]:
    """The whole document."""
    types = [kind for entry in table for kind in (entry.takes, entry.gives) if kind is not None]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    named = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for entry in table:
        takes = next(named) if entry.takes is not None else None
        gives = next(named) if entry.gives is not None else None
        path = _PARAMETER.sub(r"{\1}", entry.path)
        paths.setdefault(path, {})[entry.method.lower()] = _operation(entry, takes, gives)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LinkRay",
            "version": version,
            "description": "Whatever the pages can do. Amounts end in their unit (`_ma`, `_wh`); "
            "times are UTC, ISO 8601. Errors are `application/problem+json`.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": PROBLEM},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": SCOPES},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE,
                            "description": "Writes also need the header X-LinkRay-CSRF"},
            },
        },
    }  # fmt: skip


def _operation(entry: Entry, takes: Any, gives: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": entry.answer,
        "summary": entry.what,
        "description": f"Least level: {entry.least} ({_who(entry)}){_sure(entry)}",
        "x-level": entry.least,
        **({"x-confirmed": True} if entry.confirmed else {}),
        "responses": {
            "200": {"description": "Good", **_content(entry, gives)},
            "default": {
                "description": "A problem",
                "content": {
                    "application/problem+json": {
                        "schema": {"$ref": "#/components/schemas/Problem"}
                    }
                },
            },
        },
        "security": _security(entry),
    }
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if number else "string"},
        }
        for name, number in _PARAMETER.findall(entry.path)
    ]
    if parameters:
        operation["parameters"] = parameters
    if takes is not None:
        operation["requestBody"] = {
            "required": not entry.may_be_empty,
            "content": {kind: {"schema": takes} for kind in entry.media},
        }
    return operation


def _sure(entry: Entry) -> str:
    return "; with the password given again (/api/v1/session/confirm)" if entry.confirmed else ""


def _who(entry: Entry) -> str:
    """The least level in words, and which keys (trust.md A9)."""
    level = LEVELS[entry.least]
    if entry.least == NOBODY:
        return level
    if entry.people or entry.least > INSTALLER:
        return f"{level}; not for keys"
    reads = entry.least == EV and entry.method == "GET"
    return f"{level}, or a key with scope {'read or ' if reads else ''}write"


def _content(entry: Entry, gives: Any) -> dict[str, Any]:
    if entry.answer == "events":
        return {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
    if entry.answer == "support_bundle":
        return {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
    if entry.answer == "diagnostics_file":
        binary = {"type": "string", "format": "binary"}
        return {"content": {"application/octet-stream": {"schema": binary}}}
    if entry.answer in FILES:
        return {"content": {FILES[entry.answer]: {"schema": {"type": "string"}}}}
    if gives is None:
        return {}
    if entry.answer == "export_audit":
        return {"content": {"text/csv": {"schema": {"type": "string"}},
                            "application/json": {"schema": gives}}}  # fmt: skip
    return {"content": {"application/json": {"schema": gives}}}


def _security(entry: Entry) -> list[dict[str, list[str]]]:
    if entry.least == 0:
        return []
    by_session: dict[str, list[str]] = {"session": []}
    return [by_session] if entry.people else [{"key": []}, by_session]
