"""The OpenAPI 3.1 document of the ledger's HTTP API.

Goal: one document from which tools draw pages, make clients and check answers; it says nothing but what the service does.
Method: made from the table of endpoints that the service routes by and the models that it reads and answers with. OpenAPI
3.1 takes JSON Schema 2020-12 as it is.
Source: OpenAPI 3.1.1.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import BaseModel

from schemas.ledger_api import Refusal
from schemas.ledger_endpoints import ENDPOINTS, LOG_ENDPOINTS, Endpoint
from schemas.publish.json_schema import Schema, component_schemas

ALL: Final = (*ENDPOINTS, *LOG_ENDPOINTS)
ALWAYS: Final[tuple[tuple[int, tuple[str, ...]], ...]] = (
    (400, ("SCHEMA_INVALID", "CURSOR_INVALID")),
    (401, ("UNKNOWN_ACTOR",)),
)
TOO_LARGE: Final = (413, ("BODY_TOO_LARGE",))  # of what takes a body
MEANINGS: Final = {
    400: "The request cannot be read; the message names the parameter or field.",
    401: "The token belongs to nobody.",
    403: "The actor may not do this.",
    404: "It is not there.",
    409: "It does not fit what is there; nothing was changed.",
    413: "The request is larger than any of its kind.",
    422: "What is to be posted cannot be; nothing was changed.",
    503: "Something that is needed is not there yet.",
}


def openapi_document(version: int) -> dict[str, Any]:
    """The document of one release of the contracts."""
    models = {model.__name__: model for endpoint in ALL for model in (endpoint.answer, endpoint.body, Refusal) if model}
    parameters = {model.__name__: model for endpoint in ALL for model in (endpoint.in_path, endpoint.in_query) if model}
    schemas = component_schemas([*models.values(), *parameters.values()])
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ALL:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Premia ledger",
            "version": f"{version}.0.0",
            "description": (
                "Accounts, balances, postings and transactions of one programme's ledger, as of any tree size and day; opening "
                "balances and corrections, which two persons decide; leaves of its log with their proofs. What an answer says "
                "it was made at gives the same answer whenever it is asked for again."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8081", "description": "The ledger of one programme, on loopback."}],
        "security": [{"actor": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "actor": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of one of the programme's actors; reading takes anybody's.",
                }
            },
            "schemas": {name: schema for name, schema in schemas.items() if name not in parameters},
        },
    }


def _operation(endpoint: Endpoint, schemas: dict[str, Schema]) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": endpoint.name, "summary": endpoint.summary}
    parameters = [*_parameters(endpoint.in_path, "path", schemas), *_parameters(endpoint.in_query, "query", schemas)]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(endpoint.body)}
    answers = {"200": {"description": endpoint.summary, "content": _content(endpoint.answer)}}
    if endpoint.method == "GET":
        answers["200"]["headers"] = {
            "ETag": {"description": "Send it as If-None-Match; 304 says that nothing changed.", "schema": {"type": "string"}}
        }
        answers["304"] = {"description": "It is still what the client has, by the ETag that it sent."}
    if endpoint.created:
        answers["201"] = {"description": "It is new.", "content": _content(endpoint.answer)}
    always = ALWAYS if endpoint.body is None else (*ALWAYS, TOO_LARGE)
    for status, codes in sorted((*always, *endpoint.refusals)):
        description = f"{MEANINGS[status]} Codes: {', '.join(codes)}."
        answers[str(status)] = {"description": description, "content": _content(Refusal)}
    return operation | {"responses": answers}


def _parameters(model: type[BaseModel] | None, place: str, schemas: dict[str, Schema]) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = schemas[model.__name__]
    found = []
    for name, member in schema["properties"].items():
        described = dict(member)
        parameter = {"name": name, "in": place, "description": described.pop("description"), "schema": _without_null(described)}
        found.append(parameter | ({"required": True} if place == "path" else {}))
    return found


def _without_null(schema: Schema) -> Schema:
    """A parameter that is not given is left out, never null."""
    if "anyOf" not in schema:
        return schema
    given: list[Schema] = [part for part in schema["anyOf"] if part != {"type": "null"}]
    assert len(given) == 1, "a parameter is of one type, or left out"
    return given[0]


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def path_variables(path: str) -> set[str]:
    """Names of the variables of a path."""
    return set(re.findall(r"{([a-z_]+)}", path))


assert all(
    path_variables(endpoint.path) == set(endpoint.in_path.model_fields if endpoint.in_path else ()) for endpoint in ALL
), "a path has the variables that its model says"
