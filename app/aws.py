"""The AWS SDK's session without a detour that it takes for every request, and bare requests of its parts."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson
from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader

ENDPOINT_RULES = "endpoint-rule-set-1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered: an HTTP status, and a body."""

    status: int
    body: bytes
    was_redirected: bool = False
    """Whether it is another place's, to which the SDK's connections have followed a redirect by themselves."""


@dataclass(frozen=True, slots=True)
class SignedRequests:
    """Bare requests to the service of a client of the SDK: signed by its signer, sent over its connections, once.

    A small call through the client takes 1.4 ms of processor, of which these two are a third (decision 0029). What
    else it does is the caller's: parameters, retries, redirects, and what an answer says.
    """

    client: Any
    credentials: Any
    """Those of the client's session; None where it has none."""
    signer: type[SigV4Auth]

    @classmethod
    async def of(cls, session: Any, client: Any, signer: type[SigV4Auth] = SigV4Auth) -> Self:
        """Such requests of a client that an aioboto3 session has opened."""
        return cls(client, await session.get_credentials(), signer)

    @property
    def endpoint_url(self) -> str:
        """Where they go."""
        return str(self.client.meta.endpoint_url)

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request; the path, below the client's endpoint, is encoded already.

        Raises what the SDK does (`BotoCoreError`) where there are no credentials or no answer; a refusal is an answer.
        """
        if self.credentials is None:
            raise NoCredentialsError
        meta = self.client.meta
        url = f"{self.endpoint_url.rstrip('/')}/{path}"
        request = AWSRequest(method, url, headers, body)
        request.headers["User-Agent"] = meta.config.user_agent
        request.context["client_config"] = meta.config  # says whether bodies are part of the signature
        frozen = await self.credentials.get_frozen_credentials()
        self.signer(frozen, meta.service_model.signing_name, meta.region_name).add_auth(request)
        prepared = AWSPreparedRequest(method, url, request.headers, body, stream_output=False)
        # There is no public way to its connections, with their proxies, certificates and time limits.
        response = await self.client._endpoint.http_session.send(prepared)  # noqa: SLF001
        return Answer(response.status_code, await response.content, was_redirected=bool(response.raw.history))


class LeanLoader(Loader):
    """Loads the SDK's descriptions of services; of the parameters of endpoint rules, only those that some rule looks at.

    The SDK goes through the rules of where to send a request in Python, and remembers what came of it by the
    parameters. One of S3's is the key of the object, which no rule looks at: so nothing was ever found again, and the
    rules took a quarter of each request.
    """

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """A description of a service, of one type."""
        model = super().load_service_model(service_name, type_name, api_version)
        return _without_unused_parameters(model) if type_name == ENDPOINT_RULES else model


def lean_session() -> AioSession:
    """A session of the SDK with the lean loader, which looks where the SDK's own would (AWS_DATA_PATH)."""
    session = AioSession()
    told = session.get_config_variable("data_path")
    paths = [os.path.expandvars(each) for each in told.split(os.pathsep)] if told else None
    session.register_component("data_loader", LeanLoader(extra_search_paths=paths))
    return session


def _without_unused_parameters(ruleset: dict[str, Any]) -> dict[str, Any]:
    words = set(re.findall(r"\w+", orjson.dumps(ruleset["rules"]).decode()))
    return ruleset | {"parameters": {name: told for name, told in ruleset["parameters"].items() if name in words}}
