"""`Idempotency-Key`: however often a request is sent, it counts once, and is answered alike."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.dependencies import ProjectDep, ServicesDep
from app.api.schemas import SubmissionRead
from app.documents.submission import Submission
from app.errors import IdempotencyInProgress, IdempotencyMismatch
from app.idempotency import Answer, Answered, Claim, Keep, Keys, keep, keep_nothing

ONCE_ERRORS = (IdempotencyInProgress, IdempotencyMismatch)
"""What a route that takes a key may answer with, for its `problems(...)`."""

REPLAYED = {"Idempotency-Replayed": "true"}

Made = TypeVar("Made")
Reveal = Callable[[Answer], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Fingerprint(Generic[Made]):
    """What tells a request from another one under the same key."""

    of_request: Callable[[], Awaitable[str]]
    of_made: Callable[[Made], str]
    """The same once it has been done: for a body that can be read only once."""


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to count once, where it has a key."""

    keys: Keys
    request: Request
    project_id: UUID
    key: str | None

    async def answer(
        self,
        act: Callable[[Keep[Made]], Awaitable[Made]],
        render: Callable[[Made], Answer],
        *,
        of: BaseModel | Fingerprint[Made] | None = None,
        reveal: Reveal | None = None,
    ) -> Response:
        """Do what is asked for and answer, or answer as the first time.

        `act` is handed what keeps the answer, to be called in the transaction that makes what is asked for; an action
        that never calls it has its answer kept after it. `of` is the request's body. `reveal` adds to an answer what must
        not be kept with it. Raises `IdempotencyInProgress`,
        `IdempotencyMismatch`, and what `act` raises.
        """
        answer, more = await self._answer(act, render, of)
        return _response(answer if reveal is None else await reveal(answer), more)

    async def _answer(
        self,
        act: Callable[[Keep[Made]], Awaitable[Made]],
        render: Callable[[Made], Answer],
        of: BaseModel | Fingerprint[Made] | None,
    ) -> tuple[Answer, Mapping[str, str]]:
        if self.key is None:
            return render(await act(keep_nothing)), {}
        fingerprint = of if isinstance(of, Fingerprint) else self._of_body(of)
        claim = await self.keys.take(self.project_id, self._route(), self.key)
        if isinstance(claim, Answered):
            if await fingerprint.of_request() != claim.fingerprint:
                raise IdempotencyMismatch
            return claim.answer, REPLAYED
        async with self._released_on_failure(claim):
            return await _Keeping(claim, fingerprint, render).run(self.keys, act), {}

    def _route(self) -> str:
        return f"{self.request.method} {self.request.scope['route'].path}"

    def _of_body(self, body: BaseModel | None) -> Fingerprint[Made]:
        told = [self.request.url.path, sorted(self.request.query_params.multi_items())]
        said = body.model_dump(mode="json") if body is not None else None
        digest = hashlib.sha256(orjson.dumps([*told, said], option=orjson.OPT_SORT_KEYS)).hexdigest()

        async def of_request() -> str:
            return digest

        return Fingerprint(of_request, lambda _: digest)

    @asynccontextmanager
    async def _released_on_failure(self, claim: Claim) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await asyncio.shield(self.keys.release(claim))
            raise


@dataclass(slots=True)
class _Keeping(Generic[Made]):
    """Does what is asked for, and keeps the answer with it."""

    claim: Claim
    fingerprint: Fingerprint[Made]
    render: Callable[[Made], Answer]
    answer: Answer | None = None

    async def run(self, keys: Keys, act: Callable[[Keep[Made]], Awaitable[Made]]) -> Answer:
        made = await act(self.keep)
        if self.answer is None:
            async with keys.sessions.begin() as session:
                await self.keep(session, made)
        assert self.answer is not None  # noqa: S101 (`keep` has set it)
        return self.answer

    async def keep(self, session: AsyncSession, made: Made) -> None:
        self.answer = self.render(made)
        await keep(session, self.claim, self.fingerprint.of_made(made), self.answer)


def answer_with(
    body: BaseModel,
    *,
    status: int = 202,
    location: str | None = None,
    retry_after_seconds: int | None = None,
    document_id: UUID | None = None,
) -> Answer:
    """An answer with a body of ours. With `document_id` it is forgotten when the document is erased."""
    headers = {"Location": location} if location else {}
    headers |= {"Retry-After": str(retry_after_seconds)} if retry_after_seconds is not None else {}
    return Answer(status, body.model_dump_json(by_alias=True), headers, document_id)


def submitted(made: Submission) -> Answer:
    """A document that was taken in, and where the job is that reads it."""
    return answer_with(
        SubmissionRead.of(made),
        location=f"/v1/jobs/{made.job.id}",
        retry_after_seconds=2,
        document_id=made.document.id,
    )


def _response(answer: Answer, more: Mapping[str, str]) -> Response:
    return Response(
        answer.body,
        status_code=answer.status,
        headers={**answer.headers, **more},
        media_type="application/json",
    )


async def get_once(
    request: Request,
    services: ServicesDep,
    project_id: ProjectDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="The same key and request give the first answer again, for 24 hours.",
        ),
    ] = None,
) -> Once:
    """What the request's key stands for."""
    return Once(services.keys, request, project_id, idempotency_key)


OnceDep = Annotated[Once, Depends(get_once)]
