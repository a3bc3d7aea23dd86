"""Where notices go: topics of SNS, or of whatever speaks its protocol."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from app.textract_server.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_sns import SNSClient

_THROTTLED = frozenset({"Throttled", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"})


class TopicUnreachable(Exception):
    """SNS is away or in trouble: trying again helps."""


class TopicRefused(Exception):
    """SNS won't take it: there is no such topic, or publishing to it isn't allowed."""


@dataclass(slots=True)
class Topics:
    """Publishes to topics. The client is made at the first notice: most servers never send one."""

    settings: Settings
    connections: int
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _client: "SNSClient | None" = None
    _making: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def publish(self, topic_arn: str, message: str) -> None:
        """Publish one message; TopicUnreachable or TopicRefused where that fails."""
        try:
            client = await self._opened()
            await client.publish(TopicArn=topic_arn, Message=message)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.response["Error"]["Code"] in _THROTTLED:
                raise TopicUnreachable(str(error)) from error
            raise TopicRefused(str(error)) from error
        except (BotoCoreError, OSError) as error:
            raise TopicUnreachable(str(error)) from error

    async def close(self) -> None:
        """Let go of the client."""
        await self._stack.aclose()

    async def _opened(self) -> "SNSClient":
        async with self._making:
            if self._client is None:
                secret = self.settings.s3_secret_access_key
                config = AioConfig(
                    connect_timeout=5,
                    read_timeout=10,
                    retries={"total_max_attempts": 1},
                    max_pool_connections=self.connections,
                )
                making = get_session().create_client(
                    "sns",
                    region_name=self.settings.aws_region,
                    endpoint_url=self.settings.sns_endpoint_url,
                    aws_access_key_id=self.settings.s3_access_key_id,
                    aws_secret_access_key=secret.get_secret_value() if secret else None,
                    config=config,
                )
                self._client = await self._stack.enter_async_context(making)
            return self._client
