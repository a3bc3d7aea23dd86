"""The OpenAPI document: as FastAPI writes it, with what it adds of its own and we don't do taken out."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from app.api.webhooks import SENT

DESCRIPTION = """\
Quire reads documents: submit a PDF, PNG, JPEG or TIFF file, follow its job, and fetch its text, its pages with
the place of every word, or the whole result as Textract blocks.

Every call but those under *operations* needs an API key. Errors are problem details (RFC 9457) with a stable
`code`; every answer carries an `X-Request-ID` to quote when you ask about it.
"""


def openapi_document(app: FastAPI, published: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    """The document that clients are generated from; `published` are schemas that no route names by itself."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    document["webhooks"] = SENT
    schemas = document["components"]["schemas"]
    for model in published:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
    examples = _examples()
    for name, schema in schemas.items():
        if "enum" in schema:
            schema.setdefault("examples", schema["enum"][:1])
        elif name in examples:
            schema["examples"] = examples[name]
    for operation in (op for path in document["paths"].values() for op in path.values()):
        _tidy(operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _examples(model: type[BaseModel] = BaseModel) -> dict[str, Any]:
    """Our models' examples as they are: FastAPI leaves out every null, also where there must be one."""
    found: dict[str, Any] = {}
    for child in model.__subclasses__():
        extra = child.model_config.get("json_schema_extra")
        if child.__module__.startswith("app.api.") and isinstance(extra, dict) and "examples" in extra:
            found[child.__name__] = extra["examples"]
        found |= _examples(child)
    return found


def _tidy(operation: dict[str, Any]) -> None:
    """Take out FastAPI's own form of validation errors, and the JSON type beside our problems' own."""
    for status, answer in list(operation["responses"].items()):
        content = answer.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith("/HTTPValidationError"):
            del operation["responses"][status]
        if "application/problem+json" in content:
            content["application/problem+json"]["schema"] = {"$ref": "#/components/schemas/Problem"}
            content.pop("application/json", None)
            content.pop("text/plain", None)
