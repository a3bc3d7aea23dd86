"""Everything that can go wrong, as one tree: a class says the HTTP status, the stable code, and whether to try again.

QuireError
├── InternalError (transient)         a defect of ours
├── Unauthorized                      no key, or not one of ours
├── NotFound                          not there, or of another project
│   ├── DocumentNotFound, JobNotFound, BatchNotFound, PageNotFound, EntityNotFound, MergeNotFound, KeyNotFound,
│   ├── ProjectNotFound, EmbeddingModelNotFound, WebhookNotFound, DeliveryNotFound,
│   └── UploadNotFound
├── Conflict                          right request, wrong moment
│   ├── ResultNotReady, ResultUnavailable, FormatNotReady, StateConflict, LeaseLost, IdempotencyInProgress,
│   └── UploadInProgress, UploadIncomplete, UploadEnded, UploadCompleted
├── Invalid                           the request must change before it can succeed
│   ├── RequestInvalid, RequestTooLarge, ItemRepeated, IdempotencyMismatch, EntitiesDiffer, NameNotMerged,
│   ├── NothingToReuse, SourceInvalid, SourceNotAllowed, SourceNotFound, SourceUnreadable,
│   └── WebhookUrlRefused, WebhookLimitReached
├── Refused                           the document itself can't be taken
│   ├── DocumentEmpty, UnsupportedMediaType, DocumentTooLarge, DocumentEncrypted, DocumentCorrupt,
│   └── DocumentHasNoPages, TooManyPages, PageTooLarge, FormatFailed, ChecksumMismatch
├── LimitReached (transient)          more than a key or a project may ask for
│   ├── RateLimited, TooManyOpenDocuments
├── Unavailable (transient)           a part that we need doesn't answer, or is full
│   ├── Overloaded, QueueFull, NoWorkers, DatabaseUnavailable, StorageUnavailable, StageTimeout, WorkerLost
│   └── OcrUnavailable, OcrThrottled (waits), OcrEnginesAway (waits)
├── Parked (waits)                    nothing is wrong, and it is not yet this job's turn
│   ├── ReadElsewhere, DailyCostReached, WaitsForTurn
├── CostLimitExceeded                 reading it would cost more than it may
├── ResultsInconsistent               what the stages have made doesn't add up: a defect of ours
├── EmbeddingError                    the embedding model said no
│   ├── EmbeddingUnavailable (transient), EmbeddingThrottled (waits), EmbeddingAccessDenied, EmbeddingRequestInvalid,
│   └── EmbeddingModelAway, EmbeddingResultInvalid: EmbeddingCountWrong, EmbeddingDimensionsWrong
├── EntityModelError                  the model that finds entities said no
│   ├── EntityModelUnavailable (transient), EntityModelThrottled (waits), EntityModelAccessDenied,
│   └── EntityModelRequestInvalid, EntityModelResultInvalid (transient)
└── OcrError                          the engine said no
    ├── OcrSlotsFull (waits), OcrJobLost (transient), OcrAccessDenied, OcrRequestInvalid, OcrFailed,
    └── OcrTimeout, PageFailed, OcrResultInvalid, DocumentUnreachable (transient), OcrUnknown (transient)
"""

from typing import ClassVar
from uuid import UUID


class QuireError(Exception):
    """Something went wrong that has a name; the message is a sentence that says what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False
    costs_attempt: bool = True
    """Whether a stage that ends with it has used up one of its attempts; waiting for a slot or a slower pace has not.

    Nor has a call to an engine that is known to be away."""
    retry_after_seconds: ClassVar[int | None] = None
    message: ClassVar[str] = "Something went wrong on our side; it has been logged under this request id."

    retry_in_seconds: float | None = None
    """When trying again makes sense, where the error knows; else it is a matter of backoff."""

    def __init__(self, message: str | None = None, *, retry_in_seconds: float | None = None) -> None:
        self.detail = message or self.message
        self.retry_in_seconds = retry_in_seconds
        super().__init__(self.detail)


class InternalError(QuireError):
    """A defect of ours. It may pass, so work is tried again a few times before it is given up."""

    retryable = True


class Unauthorized(QuireError):
    status, code, title = 401, "unauthorized", "Unauthorized"
    message = "Send a valid API key as 'Authorization: Bearer <key>'."


class NotFound(QuireError):
    status, code, title = 404, "not_found", "Not found"
    message = "There is nothing at this address."


class DocumentNotFound(NotFound):
    code, title = "document_not_found", "Document not found"
    message = "This project has no document of that id."


class JobNotFound(NotFound):
    code, title = "job_not_found", "Job not found"
    message = "This project has no job of that id."


class BatchNotFound(NotFound):
    code, title = "batch_not_found", "Batch not found"
    message = "This project has no batch of that id."


class PageNotFound(NotFound):
    code, title = "page_not_found", "Page not found"
    message = "The document has no page of that number."


class EntityNotFound(NotFound):
    code, title = "entity_not_found", "Entity not found"
    message = "This project has no entity of that id."


class MergeNotFound(NotFound):
    code, title = "merge_not_found", "Merge not found"
    message = "This entity has no merge of that id that could be undone."


class UploadNotFound(NotFound):
    code, title = "upload_not_found", "Upload not found"
    message = "This project has no upload of that id."


class KeyNotFound(NotFound):
    code, title = "key_not_found", "Key not found"
    message = "There is no API key of that id or beginning; `quire keys list` shows those that there are."


class ProjectNotFound(NotFound):
    code, title = "project_not_found", "Project not found"
    message = "There is no project of that name; `quire keys list` shows those that have keys."


class EmbeddingModelNotFound(NotFound):
    code, title = "embedding_model_not_found", "Embedding model not found"
    message = "There are no vectors of a model of that name; `quire embeddings status` shows the models that there are."


class WebhookNotFound(NotFound):
    code, title = "webhook_not_found", "Webhook not found"
    message = "This project has no webhook of that id."


class DeliveryNotFound(NotFound):
    code, title = "delivery_not_found", "Delivery not found"
    message = "This webhook has no delivery of that id; deliveries are kept for thirty days."


class MethodNotAllowed(QuireError):
    status, code, title = 405, "method_not_allowed", "Method not allowed"
    message = "This address doesn't take that method; the Allow header names those that it takes."


class Conflict(QuireError):
    status, code, title = 409, "conflict", "Conflict"
    message = "The request doesn't fit the present state."


class ResultNotReady(Conflict):
    code, title, retry_after_seconds = "result_not_ready", "Result not ready", 2
    message = "The document is still being read; follow its job, or ask again later."


class ResultUnavailable(Conflict):
    code, title = "result_unavailable", "Result unavailable"
    message = "The document could not be read; its job's error says why."


class FormatNotReady(Conflict):
    code, title, retry_after_seconds = "format_not_ready", "Format not ready", 5
    message = "The document is being turned into this format, which takes a while; ask again in a moment."


class StateConflict(Conflict):
    code, title = "state_conflict", "State conflict"
    message = "The job is in a state that this can't be done in."


class LeaseLost(Conflict):
    code, title = "lease_lost", "Lease lost"
    message = "Another worker has taken this job over."


class IdempotencyInProgress(Conflict):
    code, title, retry_after_seconds = "idempotency_in_progress", "Request in progress", 1
    message = "A request with this Idempotency-Key is still being worked on; ask again in a moment."


class UploadInProgress(Conflict):
    code, title, retry_after_seconds = "upload_in_progress", "Upload being completed", 2
    message = "The upload is being completed by another request; ask again in a moment."


class UploadIncomplete(Conflict):
    code, title = "upload_incomplete", "Upload incomplete"
    message = "Parts of the upload are missing or have another size than they should; send them, and complete it again."


class UploadEnded(Conflict):
    code, title = "upload_ended", "Upload ended"
    message = "The upload has been aborted or has expired; begin a new one."


class UploadCompleted(Conflict):
    """The document and the job that an upload became stand in it."""

    code, title = "upload_completed", "Upload completed"
    message = "The upload has become a document already."

    def __init__(
        self, message: str | None = None, *, document_id: UUID | None = None, job_id: UUID | None = None
    ) -> None:
        self.document_id = document_id
        self.job_id = job_id
        super().__init__(message)


class Invalid(QuireError):
    status, code, title = 422, "invalid", "Invalid request"
    message = "The request can't be processed as it is."


class RequestInvalid(Invalid):
    code, title = "request_invalid", "Invalid request"
    message = "The request has fields that are missing or wrong; 'errors' lists each."


class RequestTooLarge(Invalid):
    status, code, title = 413, "request_too_large", "Request too large"
    message = "The request's body is larger than this call takes; send less at once."


class ItemRepeated(Invalid):
    code, title = "item_repeated", "Item repeated"
    message = "The same document stands in the batch before; each is taken once."


class IdempotencyMismatch(Invalid):
    code, title = "idempotency_mismatch", "Idempotency-Key used before"
    message = "This Idempotency-Key was used with another request; use a new key for a new request."


class SourceInvalid(Invalid):
    code, title = "source_invalid", "Source invalid"
    message = "Write the source as s3://bucket/key, with the key as it is and nothing escaped."


class SourceNotAllowed(Invalid):
    status, code, title = 403, "source_not_allowed", "Source not allowed"
    message = "Nothing may be imported from this place; IMPORT_BUCKETS lists the buckets that may be imported from."


class SourceNotFound(Invalid):
    code, title = "source_not_found", "Source not found"
    message = "There is no object of that key, or no such bucket."


class SourceUnreadable(Invalid):
    code, title = "source_unreadable", "Source unreadable"
    message = "The object may not be read: it isn't there, is archived, or the service has no permission."


class EntitiesDiffer(Invalid):
    code, title = "entities_differ", "Entities differ"
    message = "Only entities of the same type can be one."


class NameNotMerged(Invalid):
    code, title = "name_not_merged", "Name not merged"
    message = "That name is no other one's than the entity's own; there is nothing to part."


class NothingToReuse(Invalid):
    code, title = "nothing_to_reuse", "Nothing to reuse"
    message = "No run of the document has come far enough to begin there; begin at an earlier stage."


class WebhookUrlRefused(Invalid):
    code, title = "webhook_url_refused", "URL refused"
    message = "The URL is not one that may be called."


class WebhookLimitReached(Invalid):
    code, title = "webhook_limit_reached", "Too many webhooks"
    message = "The project has as many webhooks as it may have; delete one first."


class Refused(QuireError):
    status, code, title = 422, "document_refused", "Document refused"
    message = "The document can't be taken."


class DocumentEmpty(Refused):
    code, title = "document_empty", "Document empty"
    message = "The document has no bytes."


class UnsupportedMediaType(Refused):
    status, code, title = 415, "unsupported_media_type", "Unsupported media type"
    message = "The bytes are not those of a PDF, PNG, JPEG or TIFF file."


class DocumentTooLarge(Refused):
    status, code, title = 413, "document_too_large", "Document too large"
    message = "The document is larger than this service takes."


class ChecksumMismatch(Refused):
    code, title = "checksum_mismatch", "Checksum mismatch"
    message = "The bytes that arrived have another SHA-256 than was said; upload them again."


class DocumentEncrypted(Refused):
    code, title = "document_encrypted", "Document encrypted"
    message = "The document needs a password; remove it and submit the document again."


class DocumentCorrupt(Refused):
    code, title = "document_corrupt", "Document corrupt"
    message = "The document is damaged beyond repair; submit an intact copy."


class DocumentHasNoPages(Refused):
    code, title = "document_has_no_pages", "Document has no pages"
    message = "The document opens, but has no pages."


class TooManyPages(Refused):
    code, title = "too_many_pages", "Too many pages"
    message = "The document has more pages than can be read as one; split it."


class PageTooLarge(Refused):
    code, title = "page_too_large", "Page too large"
    message = "A page is larger than can be read; scale it down."


class FormatFailed(Refused):
    code, title = "format_failed", "Format failed"
    message = "The document can't be turned into this format."


class LimitReached(QuireError):
    status, code, title, retryable, retry_after_seconds = 429, "limit_reached", "Limit reached", True, 1
    message = "This is more than may be asked for; try again in a moment."


class RateLimited(LimitReached):
    code, title = "rate_limited", "Too many requests"
    message = "This key has made as many requests as it may; go on after the seconds that Retry-After says."


class TooManyOpenDocuments(LimitReached):
    code, title, retry_after_seconds = "too_many_open_documents", "Too many open documents", 30
    message = "The project has as many documents under way as it may; submit more when some have ended."


class BatchOverLimit(Invalid):
    code, title = "batch_over_limit", "Batch over the limit"
    message = "The batch has more documents than the project may have under way; submit it in parts."


class TooManyUploads(LimitReached):
    code, title, retry_after_seconds = "too_many_uploads", "Too many uploads", 60
    message = "The project has as many uploads open as it may; complete some, or give them up."


class Unavailable(QuireError):
    status, code, title, retryable, retry_after_seconds = 503, "unavailable", "Unavailable", True, 5
    message = "A part that this needs doesn't answer; try again in a moment."


class Overloaded(Unavailable):
    code, title, retry_after_seconds = "overloaded", "Overloaded", 2
    message = "As much is under way as this process takes at once; try again in a moment."


class QueueFull(Unavailable):
    code, title, retry_after_seconds = "queue_full", "Queue full", 30
    message = "As many documents wait already as may; submit more later."


class NoWorkers(Unavailable):
    code, title = "no_workers", "No workers"
    message = "No live worker serves a queue that documents need; start one with `quire worker`."


class DatabaseUnavailable(Unavailable):
    code, title = "database_unavailable", "Database unavailable"
    message = "The database doesn't answer; try again in a moment."


class StorageUnavailable(Unavailable):
    code, title = "storage_unavailable", "Storage unavailable"
    message = "The object storage doesn't answer; try again in a moment."


class StageTimeout(Unavailable):
    code, title = "stage_timeout", "Stage timed out"
    message = "The stage took longer than it may."


class WorkerLost(Unavailable):
    code, title = "worker_lost", "Worker lost"
    message = "The worker that had this job is gone; another one takes it up."


class OcrUnavailable(Unavailable):
    code, title = "ocr_unavailable", "OCR engine unavailable"
    message = "The OCR engine doesn't answer."

    may_have_arrived: bool = True
    """Whether the request may have come to the engine, and be paid for, though nothing came back."""


class OcrThrottled(Unavailable):
    code, title, costs_attempt = "ocr_throttled", "OCR engine throttled", False
    message = "The OCR engine asks for fewer requests per second."


class OcrEnginesAway(Unavailable):
    code, title, costs_attempt = "ocr_engines_away", "OCR engines away", False
    message = "No OCR engine can be reached; the document waits until one can."


class Parked(QuireError):
    """Nothing is wrong: the job has to wait for something that is known, and it costs no attempt."""

    status, code, title, retryable, costs_attempt = 409, "parked", "Parked", True, False
    message = "The job waits."


class ReadElsewhere(Parked):
    code, title = "being_read_elsewhere", "Being read elsewhere"
    message = "Another job of the project is reading the same bytes; its result will serve both."


class WaitsForTurn(Parked):
    code, title = "waiting_for_turn", "Waiting for its turn"
    message = "As many OCR jobs are being started or running as may be; the document waits for its turn."


class DailyCostReached(Parked):
    code, title = "daily_cost_reached", "Daily cost reached"
    message = "The project has spent what it may on a day; the document waits for the next one (UTC)."


class CostLimitExceeded(QuireError):
    status, code, title = 422, "cost_limit_exceeded", "Cost limit exceeded"
    message = "Reading the document would cost more than a document may; raise MAX_COST_PER_DOCUMENT and retry the job."


class OcrError(QuireError):
    status, code, title = 502, "ocr_error", "OCR engine error"
    message = "The OCR engine refused."


class OcrSlotsFull(OcrError):
    code, title, retryable, costs_attempt = "ocr_slots_full", "OCR engine full", True, False
    message = "As many OCR jobs are running as the account allows; the document waits for a slot."


class OcrJobLost(OcrError):
    code, title, retryable = "ocr_job_lost", "OCR job lost", True
    message = "The OCR engine no longer knows this job; it is started again."


class OcrUnknown(OcrError):
    code, title, retryable = "ocr_unknown_error", "Unknown OCR error", True
    message = "The OCR engine answered with an error that Quire doesn't know."


class DocumentUnreachable(OcrError):
    code, title, retryable = "document_unreachable", "Document unreachable", True
    message = "The OCR engine can't read the document from its bucket; check key, region and permissions."


class OcrAccessDenied(OcrError):
    code, title = "ocr_access_denied", "OCR access denied"
    message = "The OCR engine refuses the credentials or the key; check the account's permissions."


class OcrRequestInvalid(OcrError):
    status, code, title = 422, "ocr_request_invalid", "OCR request invalid"
    message = "The OCR engine refuses the request's parameters."


class OcrFailed(OcrError):
    code, title = "ocr_failed", "OCR failed"
    message = "The OCR engine could not read the document."


class OcrTimeout(OcrError):
    code, title = "ocr_timeout", "OCR timed out"
    message = "The OCR job didn't end in the time that it is given."


class PageFailed(OcrError):
    code, title = "page_failed", "Page failed"
    message = "The OCR engine could not read this page; the document's other pages are not affected."


class OcrResultInvalid(OcrError):
    code, title = "ocr_result_invalid", "OCR result invalid"
    message = "The OCR engine's result doesn't add up."


class ResultsInconsistent(QuireError):
    code, title = "results_inconsistent", "Results inconsistent"
    message = "What the stages have made of the document doesn't add up; reprocess it, and report this."


class EmbeddingError(QuireError):
    status, code, title = 502, "embedding_error", "Embedding model error"
    message = "The embedding model refused."


class EmbeddingUnavailable(EmbeddingError):
    status, code, title, retryable = 503, "embedding_unavailable", "Embedding model unavailable", True
    message = "The embedding model doesn't answer; try again in a moment."
    retry_after_seconds = 5


class EmbeddingThrottled(EmbeddingError):
    status, code, title, retryable = 503, "embedding_throttled", "Embedding model throttled", True
    costs_attempt = False
    message = "The embedding model asks for fewer requests; try again in a moment."
    retry_after_seconds = 5


class EmbeddingAccessDenied(EmbeddingError):
    code, title = "embedding_access_denied", "Embedding access denied"
    message = "The embedding model refuses the key, or its account is used up; check EMBEDDING_API_KEY."


class EmbeddingRequestInvalid(EmbeddingError):
    code, title = "embedding_request_invalid", "Embedding request invalid"
    message = "The embedding model refuses the request; check EMBEDDING_URL and EMBEDDING_MODEL."


class EmbeddingModelAway(EmbeddingError):
    status, code, title = 503, "embedding_model_away", "Embedding model not set up"
    message = "Vectors are searched by a model that this process has no settings for; run `quire embeddings switch`."


class EmbeddingResultInvalid(EmbeddingError):
    code, title = "embedding_result_invalid", "Embedding result invalid"
    message = "The embedding model's answer is not what was asked for."


class EmbeddingCountWrong(EmbeddingResultInvalid):
    code, title = "embedding_count_wrong", "Wrong number of embeddings"
    message = "The embedding model's answer has another number of vectors than there are texts."


class EmbeddingDimensionsWrong(EmbeddingResultInvalid):
    code, title = "embedding_dimensions_wrong", "Wrong embedding dimensions"
    message = "The embedding model's vectors have other dimensions than EMBEDDING_DIMENSIONS says."


class EntityModelError(QuireError):
    status, code, title = 502, "entity_model_error", "Entity model error"
    message = "The model that finds entities refused."


class EntityModelUnavailable(EntityModelError):
    status, code, title, retryable = 503, "entity_model_unavailable", "Entity model unavailable", True
    message = "The model that finds entities doesn't answer; try again in a moment."
    retry_after_seconds = 5


class EntityModelThrottled(EntityModelError):
    status, code, title, retryable = 503, "entity_model_throttled", "Entity model throttled", True
    costs_attempt = False
    message = "The model that finds entities asks for fewer requests; try again in a moment."
    retry_after_seconds = 5


class EntityModelAccessDenied(EntityModelError):
    code, title = "entity_model_access_denied", "Entity model access denied"
    message = "The model that finds entities refuses the key, or its account is used up; check ENTITY_API_KEY."


class EntityModelRequestInvalid(EntityModelError):
    code, title = "entity_model_request_invalid", "Entity model request invalid"
    message = "The model that finds entities refuses the request; check ENTITY_URL and ENTITY_MODEL."


class EntityModelResultInvalid(EntityModelError):
    code, title, retryable = "entity_model_result_invalid", "Entity model result invalid", True
    message = "The answer of the model that finds entities is not of the form that it was asked for."


def all_errors(root: type[QuireError] = QuireError) -> list[type[QuireError]]:
    """Every class of the tree, the root first: what the docs and the tests go through."""
    return [root, *(error for child in root.__subclasses__() for error in all_errors(child))]
