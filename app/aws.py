"""The AWS SDK's session, without a detour that it takes for every request."""

import os
import re
from typing import Any

import orjson
from aiobotocore.session import AioSession
from botocore.loaders import Loader

ENDPOINT_RULES = "endpoint-rule-set-1"


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
