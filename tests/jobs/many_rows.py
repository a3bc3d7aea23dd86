"""Many rows of documents and jobs at once, for tests of what must not slow down with their number."""

from uuid import UUID

from sqlalchemy import text

from app.db import Sessions

RARE = "rare"
"""The external id, the begin of the file's name, and the error code of the one that is hard to find."""


async def fill(sessions: Sessions, project_id: UUID, count: int) -> None:
    """So many documents, each with a job, a second apart: all done but for the oldest hundred, of every state, and one PNG."""
    async with sessions.begin() as session:
        await session.execute(_DOCUMENTS, {"project": project_id, "count": count})
        await session.execute(_JOBS, {"project": project_id, "count": count})
    async with sessions() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        await session.execute(text("VACUUM ANALYZE jobs, documents"))


_ID = "CAST(lpad(to_hex({kind}), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0') AS uuid)"
_DOCUMENTS = text(f"""
    INSERT INTO documents (id, project_id, filename, external_id, media_type, size_bytes, sha256, s3_bucket, s3_key,
        created_at)
    SELECT {_ID.format(kind=1)}, CAST(:project AS uuid), CASE n WHEN 7 THEN 'Rare 100%.pdf' ELSE 'file-' || n || '.pdf' END,
        CASE n WHEN 7 THEN 'rare' ELSE 'external-' || n END, CASE n WHEN 7 THEN 'image/png' ELSE 'application/pdf' END,
        1, encode(sha256(CAST(n AS text)::bytea), 'hex'), 'bucket', 'documents/' || n,
        now() - (CAST(:count AS int) - n) * interval '1 second'
    FROM generate_series(1, CAST(:count AS int)) AS n
""")
_STATE = "(ARRAY['queued', 'working', 'retryable', 'deadletter', 'cancelled'])[n % 5 + 1]"
_JOBS = text(f"""
    INSERT INTO jobs (id, project_id, document_id, state, stage, priority, error_code, claimed_by, lease_until,
        finished_at, started_at, created_at)
    SELECT {_ID.format(kind=2)}, CAST(:project AS uuid), {_ID.format(kind=1)}, state,
        CASE state WHEN 'done' THEN 'finalized' ELSE (ARRAY['queued', 'chunking', 'embedded'])[n % 3 + 1] END,
        CASE n WHEN 7 THEN 'high' ELSE 'normal' END,
        CASE WHEN n = 7 THEN 'rare' WHEN state IN ('retryable', 'deadletter') THEN 'internal_error' END,
        CASE state WHEN 'working' THEN 'worker' END, CASE state WHEN 'working' THEN now() END,
        CASE WHEN state IN ('done', 'deadletter', 'cancelled') THEN at END, at, at
    FROM (
        SELECT n, now() - (CAST(:count AS int) - n) * interval '1 second' AS at,
            CASE WHEN n <= 100 THEN {_STATE} ELSE 'done' END AS state
        FROM generate_series(1, CAST(:count AS int)) AS n
    ) rows
""")
