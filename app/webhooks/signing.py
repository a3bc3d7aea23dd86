"""Signatures as Standard Webhooks have them: an HMAC over the message's id, the moment and the body."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook as Signer

SECRET_BYTES = 32
PREFIX = "whsec_"


def new_secret() -> str:
    """A secret that nobody guesses."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(message_id: str, moment: datetime, body: str, keys: Sequence[str]) -> dict[str, str]:
    """The headers of a message; while a secret is being replaced, it is signed with both."""
    at = moment.astimezone(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Signer(key).sign(message_id, at, body) for key in keys),
    }
