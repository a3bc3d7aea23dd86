"""The OpenAPI document: sound, complete, and what the API really answers."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.config import Settings
from app.errors import QuireError, all_errors
from app.main import create_app
from tests.api.sse import read_stream
from tests.documents import letter
from tests.service import Client

METHODS = {"get", "post", "put", "patch", "delete"}
Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    """The OpenAPI document as the app writes it."""
    return create_app(Settings(_env_file=None)).openapi()


def operations(document: Document) -> list[tuple[str, str, Document]]:
    """Every operation, with its path and method."""
    return [(path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def test_it_is_valid(document: Document) -> None:
    """OpenAPI's own schema accepts it, as 3.1, with nothing of 3.2 in it."""
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1.")
    assert "itemSchema" not in str(document)


def test_every_operation_is_named_and_told(document: Document) -> None:
    """Each has a verb and a noun for a name, its own, and a tag that is described, and says what it does."""
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names)) >= 12
    tags = {tag["name"] for tag in document["tags"]}
    for path, method, operation in operations(document):
        assert method in METHODS, path
        assert re.fullmatch(
            r"(submit|check|import|get|list|summarize|stream|search|cancel|retry|reprocess|merge|split|erase"
            r"|begin|complete|abort|create|change|delete|test|rotate|redeliver)(_[a-z]+)+",
            operation["operationId"],
        )
        assert set(operation["tags"]) <= tags
        assert len(operation["tags"]) == 1
        assert operation["description"]
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("description"), (path, parameter["name"])


def test_every_schema_has_an_example_that_is_one(document: Document) -> None:
    """Whatever is in the document's schemas is shown by an example that the schema itself accepts."""
    schemas = document["components"]["schemas"]
    assert len(schemas) > 20
    for name, schema in schemas.items():
        assert schema.get("examples"), name
        for example in schema["examples"]:
            validator(document, {"$ref": f"#/components/schemas/{name}"}).validate(example)


def test_every_schema_is_used(document: Document) -> None:
    """Nothing is described that no answer speaks of, and everything that is spoken of is described."""
    used = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert used == set(document["components"]["schemas"])


def test_every_error_lists_its_codes(document: Document) -> None:
    """An error answer is a problem, with an example for each code that it may have; all calls but operations' need a key."""
    known = {error.code: error for error in all_errors(QuireError)}
    for path, _, operation in operations(document):
        errors = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        if operation["tags"] == ["operations"]:
            assert "security" not in operation
            continue
        assert operation["security"] == [{"HTTPBearer": []}]
        assert {"401", "500", "503"} <= set(errors), path
        for status, answer in errors.items():
            assert set(answer["content"]) == {"application/problem+json"}
            content = answer["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["examples"], (path, status)
            for code, example in content["examples"].items():
                assert f"`{code}`" in answer["description"]
                assert (known[code].status, example["value"]["code"]) == (int(status), code)


def test_json_in_the_query_is_text(document: Document) -> None:
    """Objects in the query are strings of JSON: a generated client would else spread them over many parameters."""
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["schema"].get("type") != "object", parameter["name"]


def validator(document: Document, schema: Document) -> Draft202012Validator:
    """Checks against a schema that may point into the document."""
    return Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


async def test_real_answers_are_as_described(document: Document, client: Client, worker: str) -> None:
    """What the API answers, well or ill, is what its description says, on every route."""
    ids = await things_to_ask_about(client)
    asked = set()
    # What takes things away comes last.
    every = sorted(operations(document), key=lambda each: each[1] == "delete")
    for given in (ids, {**{name: uuid4() for name in ids}, "number": 1}, dict.fromkeys(ids, "x")):
        for path, method, operation in every:
            answer = await ask(client, method, path.format(**given), **said_to(operation["operationId"], given))
            described = operation["responses"].get(str(answer.status_code))
            assert described is not None, (method, path, answer.status_code)
            media_type = answer.headers.get("content-type", "").partition(";")[0]
            if "content" in described:
                assert media_type in described["content"], (path, media_type)
            if media_type.endswith(("/json", "+json")):
                validator(document, described["content"][media_type]["schema"]).validate(answer.json())
            asked.add((operation["operationId"], answer.status_code))
    names = {operation["operationId"] for _, _, operation in operations(document)}
    good = {name for name, status in asked if status < 300}
    # Of a job that is done neither can be; nothing was merged that could be parted; no bucket may be imported from;
    # of the upload and the message little is known at that moment.
    assert good >= names - {
        *("cancel_job", "retry_job", "cancel_batch", "split_entity"),
        *("import_document", "complete_upload", "redeliver_webhook"),
    }


async def things_to_ask_about(client: Client) -> dict[str, Any]:
    """Ids, by their names in paths, of a document that was read and of one of everything else."""
    submitted = await client.submit(letter("Write to clerk@example.com"), metadata='{"a": 1}')
    document_id, job_id = submitted["document"]["id"], submitted["job"]["id"]
    await client.ended(job_id)
    made = {
        "batch_id": await client.post("/v1/batches", json={"documents": [{"document_id": document_id}]}),
        "upload_id": await client.post("/v1/uploads", json={"size_bytes": 1000}),
        "webhook_id": await client.post("/v1/webhooks", json={"url": "https://hooks.example.com/quire"}),
    }
    ids = {name: answer.json().get("batch", answer.json())["id"] for name, answer in made.items()}
    return {
        **ids,
        "document_id": document_id,
        "job_id": job_id,
        "number": 1,
        "delivery_id": (await client.post(f"/v1/webhooks/{ids['webhook_id']}/test")).json()["id"],
        "entity_id": (await client.get("/v1/entities", params={"type": "email"})).json()["items"][0]["id"],
    }


async def ask(client: Client, method: str, path: str, **said: Any) -> httpx.Response:
    """The answer; of a stream no more than its beginning, since that of a project never ends."""
    async with client.stream(method, path, **said) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
        return answer


def said_to(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """The body or the query of a call, where it has one."""
    bodies: dict[str, Any] = {
        "search_chunks": {"query": "clerk"},
        "reprocess_document": {"from_stage": "finalization"},
        "merge_entities": {"entity_ids": [str(given["entity_id"])]},
        "split_entity": {"normal_form": "nobody"},
        "import_document": {"source": "s3://bucket/key.pdf"},
        "begin_upload": {"size_bytes": 1000},
        "complete_upload": {},
        "retry_jobs": {"code": ["nothing"]},
        "submit_batch": {"documents": [{"document_id": str(given["document_id"])}]},
        "check_batch": {"priority": "high"},
        "create_webhook": {"url": "https://hooks.example.com/quire"},
        "change_webhook": {"enabled": True},
    }
    if operation == "submit_document":
        return {"content": letter("Hello")}
    if operation == "get_graph":
        return {"params": {"entity_id": str(given["entity_id"])}}
    return {"json": bodies[operation]} if operation in bodies else {}


async def test_real_events_are_as_described(document: Document, client: Client, worker: str) -> None:
    """The data of a stream's events fit their schemas: a job first, then changes."""
    job_id = (await client.submit(letter("Hello")))["job"]["id"]
    snapshot, *events = await read_stream(client, job_id)
    validator(document, {"$ref": "#/components/schemas/JobRead"}).validate(snapshot.data)
    for event in events:
        validator(document, {"$ref": "#/components/schemas/EventRead"}).validate(event.data)
