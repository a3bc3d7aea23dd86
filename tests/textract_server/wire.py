"""Requests as bytes, for what an SDK would never send."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.textract_server.running import KEY, REGION, SECRET

JSON_1_1 = "application/x-amz-json-1.1"


def ask(url: str, body: bytes, headers: Mapping[str, str], path: str = "/") -> tuple[int, Any, Any]:
    """Send a request as it is; return status, body and headers."""
    request = urllib.request.Request(url + path, data=body, headers=dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), error.headers


def signed(url: str, target: str, body: bytes) -> dict[str, str]:
    headers = {"Content-Type": JSON_1_1, "X-Amz-Target": target}
    request = AWSRequest("POST", url + "/", headers=headers, data=body)
    SigV4Auth(Credentials(KEY, SECRET), "textract", REGION).add_auth(request)
    return dict(request.headers)
