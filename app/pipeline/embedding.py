"""`embed_chunks`: the chunks of a document get their vectors, of each model in use."""

from app.jobs.models import Job
from app.jobs.steps import Step
from app.knowledge.embedding import CHUNKS_AT_ONCE
from app.pipeline.outcome import Outcome, Tools
from app.pipeline.progress import tell_progress


async def embed_chunks(job: Job, tools: Tools) -> Outcome:
    """Make the vectors that are missing: those that an earlier try has written stay. Raises the errors under `EmbeddingError`."""
    vectors = 0
    async for count in tools.embedding.embed_run(job.id):
        vectors += count
        if count == CHUNKS_AT_ONCE:
            await tell_progress(job, tools, Step.EMBEDDING, vectors=vectors)
    return Outcome(details={"vectors": vectors, "models": [model.name for model in tools.embedding.embedders.written]})
