"""Objects that are stored compressed: written in pieces or at once, copied, and read again as what went in."""

import gzip
import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from app.storage.compression import GZIP, PIECE_BYTES, compressor, decompressed
from app.storage.upload import Upload
from tests.bench import Bench

MEBIBYTE = 1024 * 1024
SMALL, IN_PARTS = b"a result", os.urandom(12 * MEBIBYTE)
"""What is stored by one request, and what is stored in three parts."""


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    """Bytes as they come out of a bucket."""
    for begin in range(0, len(content), size):
        yield content[begin : begin + size]


@pytest.mark.parametrize("content", [SMALL, IN_PARTS], ids=["small", "in parts"])
async def test_an_object_says_that_it_is_compressed(bench: Bench, content: bytes) -> None:
    """So does a copy of it; both are given out as they are stored."""
    bucket, key, copy = bench.tools.bucket, f"tests/{uuid4()}", f"tests/{uuid4()}"
    packing = compressor()
    async with Upload(bucket, key, "application/json", 5 * MEBIBYTE, 2, content_encoding=GZIP) as upload:
        async for piece in pieces(content, MEBIBYTE):
            await upload.write(packing.compress(piece))
        await upload.write(packing.flush())
        await upload.complete()
    await bucket.copy(key, copy)
    for each in (key, copy):
        head = await bucket.head(each)
        assert head is not None
        assert (head.content_encoding, head.size_bytes) == (GZIP, upload.size_bytes)
        async with bucket.open(each) as stored:
            assert stored.content_encoding == GZIP
            read = b"".join([chunk async for chunk in stored])
        assert (len(read), gzip.decompress(read)) == (upload.size_bytes, content)
        told = await bucket.client.head_object(Bucket=bucket.name, Key=each)
        assert told["ContentType"] == "application/json"


@pytest.mark.parametrize(
    ("kept", "encoding"), [("gzip", "gzip"), ("gzip,aws-chunked", "gzip"), ("aws-chunked", None), ("identity", None)]
)
async def test_how_an_object_was_sent_is_no_encoding(bench: Bench, kept: str, encoding: str | None) -> None:
    """Some stores keep what the SDK adds where it sends a body in chunks."""
    bucket, key = bench.tools.bucket, f"tests/{uuid4()}"
    await bucket.put(key, b"?", "application/json", kept)
    head = await bucket.head(key)
    assert head is not None
    assert head.content_encoding == encoding


@pytest.mark.parametrize("size", [1, 1000, PIECE_BYTES, 100 * MEBIBYTE])
async def test_what_was_packed_small_comes_out_in_small_pieces(size: int) -> None:
    """Fifty megabytes may come out of fifty kilobytes; no more than a piece of them is in memory."""
    content = bytes(20 * MEBIBYTE) + os.urandom(1000)
    out = [piece async for piece in decompressed(pieces(gzip.compress(content), size))]
    assert b"".join(out) == content
    assert 0 < max(map(len, out)) <= PIECE_BYTES
    assert all(out)


@pytest.mark.parametrize("content", [b"", b"x", bytes(3 * MEBIBYTE)], ids=["nothing", "little", "much"])
@pytest.mark.parametrize("missing", [1, 15])
async def test_a_stream_that_is_cut_off_is_an_error(content: bytes, missing: int) -> None:
    """However much of it is missing."""
    packed = gzip.compress(content)
    assert b"".join([piece async for piece in decompressed(pieces(packed, 1000))]) == content
    with pytest.raises(EOFError):
        [piece async for piece in decompressed(pieces(packed[:-missing], 1000))]
