"""Errors that a caller is answered with, under the names and messages of the real service.

TextractError
├── InvalidParameterError, IdempotentParameterMismatchError, InvalidJobIdError, UnknownOperationError, SerializationError
├── InvalidS3ObjectError, UnsupportedDocumentError, DocumentTooLargeError, BadDocumentError
├── AccessDeniedError, InvalidKMSKeyError
├── LimitExceededError, ProvisionedThroughputExceededError, ThrottlingError
├── MissingAuthenticationTokenError, IncompleteSignatureError, UnrecognizedClientError, InvalidSignatureError
├── InternalServerError
└── InjectedError   any of these, on request
"""

from http import HTTPStatus


class TextractError(Exception):
    """An answer other than success: `code` is what SDKs know it by."""

    code: str
    message: str
    status: int = HTTPStatus.BAD_REQUEST

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.message}: {detail}" if detail else self.message)


class InvalidParameterError(TextractError):
    """A parameter breaks its constraint."""

    code = "InvalidParameterException"
    message = "Request has invalid parameters"


class IdempotentParameterMismatchError(TextractError):
    """A ClientRequestToken came again, with other parameters."""

    code = "IdempotentParameterMismatchException"
    message = "A ClientRequestToken input parameter was reused with an operation, but at least one of the other input parameters is different from the previous call to the operation"


class InvalidJobIdError(TextractError):
    """No such job, or it has expired, or it was started by another operation."""

    code = "InvalidJobIdException"
    message = "Request has invalid Job Id"


class UnknownOperationError(TextractError):
    """The service has no such operation."""

    code = "UnknownOperationException"
    message = "The operation is unknown"


class SerializationError(TextractError):
    """The body isn't what the protocol says it is."""

    code = "SerializationException"
    message = "The request can't be parsed"


class UnsupportedProtocolError(SerializationError):
    """The request speaks another protocol than JSON 1.1."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    message = "Only AWS JSON 1.1 is spoken here (Content-Type application/x-amz-json-1.1 with X-Amz-Target), not CBOR"


class InvalidS3ObjectError(TextractError):
    """The document can't be found or read in S3."""

    code = "InvalidS3ObjectException"
    message = "Unable to get object metadata from S3. Check object key, region and/or access permissions."


class UnsupportedDocumentError(TextractError):
    """The document's format isn't one that this operation reads."""

    code = "UnsupportedDocumentException"
    message = "Request has unsupported document format"


class DocumentTooLargeError(TextractError):
    """The document is over a size limit."""

    code = "DocumentTooLargeException"
    message = "Request has a document that is too large"


class BadDocumentError(TextractError):
    """The document can't be read."""

    code = "BadDocumentException"
    message = "Request has a document that can't be read"


class LimitExceededError(TextractError):
    """There are as many open jobs as there may be."""

    code = "LimitExceededException"
    message = "Open jobs exceed maximum concurrent job limit"


class ProvisionedThroughputExceededError(TextractError):
    """More calls in a second than the quota has, or more synchronous ones waiting than can be read in time."""

    code = "ProvisionedThroughputExceededException"
    message = "Provisioned rate exceeded"


class ThrottlingError(TextractError):
    """The service itself asks for patience; this server does so on request only. The docs say status 500, clients see 400."""

    code = "ThrottlingException"
    message = "Slow down; sudden increase in rate of requests. Please ramp up your traffic gradually."


class AccessDeniedError(TextractError):
    """The caller may not do this; this server says so on request only."""

    code = "AccessDeniedException"
    message = "You aren't authorized to perform the action"


class InvalidKMSKeyError(TextractError):
    """Results can't be encrypted with the key that was named."""

    code = "InvalidKMSKeyException"
    message = "The KMS key can't be used, or the one that was entered is incorrect"


class MissingAuthenticationTokenError(TextractError):
    """The request isn't signed."""

    code = "MissingAuthenticationTokenException"
    message = "Missing Authentication Token"


class IncompleteSignatureError(TextractError):
    """The Authorization header lacks a part."""

    code = "IncompleteSignatureException"
    message = "Authorization header is incomplete"


class UnrecognizedClientError(TextractError):
    """The access key isn't known."""

    code = "UnrecognizedClientException"
    message = "The security token included in the request is invalid."


class InvalidSignatureError(TextractError):
    """The signature isn't the one that the secret key gives."""

    code = "InvalidSignatureException"
    message = "The request signature we calculated does not match the signature you provided"


class InternalServerError(TextractError):
    """Something failed that isn't the caller's doing; trying again may help."""

    code = "InternalServerError"
    message = "Internal server error"
    status = HTTPStatus.INTERNAL_SERVER_ERROR


class InjectedError(TextractError):
    """An error that was asked for: a known one with its own message and status, or any other code."""

    def __init__(self, code: str, message: str | None = None, status: int | None = None) -> None:
        known = known_errors().get(code, TextractError)
        self.code = code
        self.message = message if message is not None else getattr(known, "message", "An error was asked for")
        self.status = status if status is not None else known.status
        super().__init__()


def known_errors() -> dict[str, type[TextractError]]:
    """Every error that has a code of its own."""
    return {error.code: error for error in TextractError.__subclasses__() if hasattr(error, "code")}
