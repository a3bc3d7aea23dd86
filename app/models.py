"""Every table, imported for its sake: what Alembic and the tests compare the database with."""

from app.alerts.models import Alert
from app.batches.models import Batch, BatchItem
from app.db import Base
from app.documents.models import Document, Page
from app.documents.upload_rows import DirectUpload
from app.events import Event
from app.idempotency import IdempotencyKey
from app.jobs.models import Job, TextractJob, Worker
from app.knowledge.models import DocumentChunk, Entity, EntityMention, EntityMerge, Relationship
from app.knowledge.vector_models import ChunkVector, EmbeddingModel
from app.projects.models import ApiKey, Project
from app.webhooks.models import Webhook, WebhookCursor, WebhookDelivery

__all__ = [
    "Alert",
    "ApiKey",
    "Base",
    "Batch",
    "BatchItem",
    "ChunkVector",
    "DirectUpload",
    "Document",
    "DocumentChunk",
    "EmbeddingModel",
    "Entity",
    "EntityMention",
    "EntityMerge",
    "Event",
    "IdempotencyKey",
    "Job",
    "Page",
    "Project",
    "Relationship",
    "TextractJob",
    "Webhook",
    "WebhookCursor",
    "WebhookDelivery",
    "Worker",
]
