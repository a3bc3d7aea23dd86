"""The admin endpoint, asked as a test would ask it."""

import json
import urllib.error
import urllib.request
from typing import Any

from tests.textract_server.running import TextractServer


def request(server: TextractServer, method: str, path: str, content: Any = None) -> tuple[int, Any]:
    """Send a request to the admin endpoint; return status and content."""
    body = json.dumps(content).encode() if content is not None else None
    asked = urllib.request.Request(f"{server.url}/admin/{path}", data=body, method=method)
    try:
        with urllib.request.urlopen(asked) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def set_fault(server: TextractServer, fault: str, **particulars: Any) -> None:
    status, answer = request(server, "POST", "faults", {"fault": fault, **particulars})
    assert status == 201, answer


def statistics(server: TextractServer) -> Any:
    return request(server, "GET", "stats")[1]
