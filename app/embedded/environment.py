"""What the parts of a stack are told about each other: environment variables, as a deployment would set them."""

import os
from collections.abc import Mapping

from app.config import Settings
from app.embedded.data_dir import DataDir
from app.embedded.errors import StackError
from app.embedded.parts import Part, engines
from app.embedded.ports import LOOPBACK
from app.embedded.postgres import database_url
from app.embedded.seaweedfs import s3_endpoint
from app.embedded.secrets_file import Secrets
from app.embedded.valkey import redis_url

Environment = dict[str, str]

# Of the shell that started us, these would lead a part to another account than ours.
NOT_PASSED_ON = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")


def stack_environment(
    settings: Settings, data_dir: DataDir, secrets: Secrets, ports: Mapping[str, int], parts: frozenset[Part]
) -> Environment:
    """Return the settings that lead to this stack: to its own servers, and to those that are elsewhere."""
    environment = {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "AWS_ENDPOINT_URL_S3": settings.aws_endpoint_url_s3 or "",
        "AWS_ENDPOINT_URL_TEXTRACT": settings.aws_endpoint_url_textract or "",
        "LOCAL_TEXTRACT_ENDPOINT_URL": settings.local_textract_endpoint_url or "",
        "OCR_ENGINES": engines(settings),
        "S3_BUCKET": settings.s3_bucket,
        "AWS_REGION": settings.aws_region,
        "QUIRE_DATA_DIR": str(data_dir.root),
        "QUIRE_HOST": settings.quire_host,
        "QUIRE_PORT": str(settings.quire_port),
        **_unless_set(settings, worker_completion_seconds=3),
        "QUIRE_API_KEY": settings.quire_api_key.get_secret_value() if settings.quire_api_key else secrets.api_key,
        **_credentials(settings, secrets, parts),
    }
    if Part.POSTGRES in parts:
        environment["DATABASE_URL"] = database_url(ports["postgres"], secrets.database_password)
    if Part.VALKEY in parts:
        environment["REDIS_URL"] = redis_url(ports["valkey"], secrets.redis_password)
    if Part.S3 in parts:
        environment["AWS_ENDPOINT_URL_S3"] = s3_endpoint(ports)
    if Part.TEXTRACT in parts:
        environment["LOCAL_TEXTRACT_ENDPOINT_URL"] = f"http://{LOOPBACK}:{ports['textract']}"
        # Our own server charges nothing for being asked.
        environment |= _unless_set(
            settings, textract_async_initial_delay_seconds=1, textract_async_polling_interval_seconds=1
        )
    return {name: value for name, value in environment.items() if value}


def child_environment(stack: Environment, parts: frozenset[Part]) -> Environment:
    """Return the whole environment of a part that is Quire's own."""
    inherited = dict(os.environ)
    if Part.S3 in parts:
        for name in NOT_PASSED_ON:
            inherited.pop(name, None)
    # A proxy of the shell's has no business between our own processes.
    no_proxy = ",".join(filter(None, [inherited.get("NO_PROXY") or inherited.get("no_proxy"), LOOPBACK, "localhost"]))
    return {**inherited, "PYTHONUNBUFFERED": "1", "NO_PROXY": no_proxy, "no_proxy": no_proxy, **stack}


def textract_environment(stack: Environment, data_dir: DataDir, port: int) -> Environment:
    """Return what the Textract-compatible server needs beyond the environment of every part."""
    own = {
        "TEXTRACT_SERVER_HOST": LOOPBACK,
        "TEXTRACT_SERVER_PORT": str(port),
        "TEXTRACT_SERVER_DATA_DIR": str(data_dir.part("textract")),
        "TEXTRACT_SERVER_ACCESS_KEY_ID": stack.get("AWS_ACCESS_KEY_ID", ""),
        "TEXTRACT_SERVER_SECRET_ACCESS_KEY": stack.get("AWS_SECRET_ACCESS_KEY", ""),
        "TEXTRACT_SERVER_S3_ENDPOINT_URL": stack.get("AWS_ENDPOINT_URL_S3", ""),
        "TEXTRACT_SERVER_S3_ACCESS_KEY_ID": stack.get("AWS_ACCESS_KEY_ID", ""),
        "TEXTRACT_SERVER_S3_SECRET_ACCESS_KEY": stack.get("AWS_SECRET_ACCESS_KEY", ""),
    }
    return {name: value for name, value in own.items() if value}


def _unless_set(settings: Settings, **values: int) -> Environment:
    """Return settings that suit one machine; what a person has set is left as it is."""
    return {name.upper(): str(value) for name, value in values.items() if name not in settings.model_fields_set}


def _credentials(settings: Settings, secrets: Secrets, parts: frozenset[Part]) -> Environment:
    """Return the one pair of keys that S3 and Textract are both asked with.

    Where both are ours it is a pair of our own; keys that were set for AWS are not written into our servers then.
    """
    ours = {"AWS_ACCESS_KEY_ID": secrets.aws_access_key_id, "AWS_SECRET_ACCESS_KEY": secrets.aws_secret_access_key}
    if {Part.S3, Part.TEXTRACT} <= parts:
        return ours
    if settings.aws_access_key_id and settings.aws_secret_access_key:
        theirs = {
            "AWS_ACCESS_KEY_ID": settings.aws_access_key_id,
            "AWS_SECRET_ACCESS_KEY": settings.aws_secret_access_key.get_secret_value(),
        }
        if settings.aws_session_token:
            theirs["AWS_SESSION_TOKEN"] = settings.aws_session_token.get_secret_value()
        return theirs
    if Part.S3 in parts:
        return ours
    if Part.TEXTRACT in parts:
        raise StackError(
            "S3 is elsewhere, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: the Textract-compatible\n"
            "server needs them to check requests. Set them, or set LOCAL_TEXTRACT_ENDPOINT_URL to one that runs elsewhere."
        )
    return {}
