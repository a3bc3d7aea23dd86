"""Connections to an engine: what was never sent is told from what may have arrived, and nobody asks AWS by mistake."""

import asyncio
import socket
import struct

import pytest

from app.config import Settings
from app.errors import OcrEnginesAway, OcrUnavailable
from app.ocr.engine import EngineName, ReadRequest, Source
from app.ocr.textract import open_engine
from app.resources import aws_session


async def failed_start(asking: Settings) -> OcrUnavailable:
    """What a Start comes to."""
    async with open_engine(aws_session(asking), asking, EngineName.LOCAL) as engine:
        with pytest.raises(OcrUnavailable) as caught:
            await engine.start(Source("a-bucket", "documents/1.pdf"), ReadRequest(), token="t" * 64, tag="document-1")
    return caught.value


async def test_what_was_never_sent_cannot_have_arrived(asking: Settings) -> None:
    """A connection that is refused, a name that nobody has, and one that is not made in time."""
    with socket.socket() as full:  # nobody accepts, and the one place in line is taken
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            in_line = f"http://127.0.0.1:{full.getsockname()[1]}"
            for nowhere in ("http://127.0.0.1:9", "http://nowhere.invalid", "https://127.0.0.1:9", in_line):
                changes = {"local_textract_endpoint_url": nowhere, "textract_connect_timeout_seconds": 0.5}
                error = await failed_start(asking.model_copy(update=changes))
                assert (nowhere, error.may_have_arrived) == (nowhere, False)


async def test_a_connection_that_is_reset_once_it_is_made_may_have_brought_it(asking: Settings) -> None:
    """The SDK has the same name for it as for one that is refused."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        told = writer.get_extra_info("socket")
        told.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert (await failed_start(asking.model_copy(update={"local_textract_endpoint_url": url}))).may_have_arrived


async def test_a_local_engine_that_is_nowhere_is_never_looked_for_at_aws(asking: Settings) -> None:
    """Without an address the SDK would ask AWS, where pages are paid for."""
    nowhere = asking.model_copy(update={"ocr_engines": "local", "local_textract_endpoint_url": None})
    with pytest.raises(OcrEnginesAway, match="LOCAL_TEXTRACT_ENDPOINT_URL is not set"):
        async with open_engine(aws_session(nowhere), nowhere, EngineName.LOCAL):
            pass
