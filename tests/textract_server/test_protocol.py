"""The wire: what is signed wrongly, asked wrongly or not served gets the real service's answers."""

import socket
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from app.textract_server.errors import InvalidSignatureError
from app.textract_server.signature import SignatureVerifier, SignedRequest
from tests.textract_server import sheets
from tests.textract_server.running import KEY, REGION, SECRET, TextractServer, client
from tests.textract_server.wire import JSON_1_1, ask, signed


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def signed_at(moment: datetime) -> SignedRequest:
    request = AWSRequest("POST", "http://here/", headers={"X-Amz-Target": "Textract.X", "Host": "here"}, data=b"{}")
    signer = SigV4Auth(Credentials(KEY, SECRET), "textract", REGION)
    request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signed_headers = signer.signed_headers(signer.headers_to_sign(request))
    request.headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed_headers}, Signature={signature}"
    )
    return SignedRequest("POST", "/", {name.lower(): value for name, value in request.headers.items()}, b"{}")


def test_answers_look_like_the_real_ones(server: TextractServer) -> None:
    answer = server.textract().detect_document_text(Document={"Bytes": sheets.pdf(["Hello there"])})
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert set(headers) == {"content-type", "x-amzn-requestid", "date", "content-length"}
    assert headers["content-type"] == JSON_1_1


def test_a_wrong_secret_is_refused(server: TextractServer) -> None:
    with pytest.raises(ClientError) as error:
        server.textract(aws_secret_access_key="another").get_document_text_detection(JobId="x")
    assert code_of(error) == "InvalidSignatureException"


def test_a_wrong_key_is_refused(server: TextractServer) -> None:
    with pytest.raises(ClientError) as error:
        server.textract(aws_access_key_id="another").get_document_text_detection(JobId="x")
    assert code_of(error) == "UnrecognizedClientException"


def test_temporary_credentials_are_taken_with_their_token(server: TextractServer) -> None:
    """The token that comes with them is signed, and may be any."""
    page = {"Bytes": sheets.pdf(["Hello there"])}
    assert server.textract(aws_session_token="of a role").detect_document_text(Document=page)["Blocks"]


def test_a_token_that_is_not_signed_is_refused(server: TextractServer) -> None:
    """Somebody else may have added it."""
    headers = signed(server.url, "Textract.GetDocumentTextDetection", b'{"JobId":"a"}')
    body = ask(server.url, b'{"JobId":"a"}', {**headers, "X-Amz-Security-Token": "added"})[1]
    assert body["__type"] == "InvalidSignatureException"


def test_an_unsigned_request_is_refused(server: TextractServer) -> None:
    status, body, _ = ask(server.url, b"{}", {"Content-Type": JSON_1_1, "X-Amz-Target": "Textract.DetectDocumentText"})
    assert (status, body["__type"]) == (400, "MissingAuthenticationTokenException")


def test_a_mangled_authorization_is_refused(server: TextractServer) -> None:
    headers = {"Content-Type": JSON_1_1, "X-Amz-Target": "Textract.X", "Authorization": "AWS4-HMAC-SHA256 nonsense"}
    assert ask(server.url, b"{}", headers)[1]["__type"] == "IncompleteSignatureException"


def test_a_body_that_was_changed_after_signing_is_refused(server: TextractServer) -> None:
    headers = signed(server.url, "Textract.GetDocumentTextDetection", b'{"JobId":"a"}')
    status, body, answered = ask(server.url, b'{"JobId":"b"}', headers)
    assert (status, body["__type"]) == (400, "InvalidSignatureException")
    assert answered["x-amzn-errortype"] == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_signature_from_another_time_is_refused(minutes: int) -> None:
    now = datetime.now(UTC)
    verifier = SignatureVerifier(KEY, SECRET)
    verifier.verify(signed_at(now), now)
    with pytest.raises(InvalidSignatureError):
        verifier.verify(signed_at(now + timedelta(minutes=minutes)), now)


def test_a_cbor_request_is_told_what_is_spoken_here(server: TextractServer) -> None:
    headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    status, body, _ = ask(server.url, b"\xa0", headers, "/service/Textract/operation/DetectDocumentText")
    assert status == 415
    assert "JSON 1.1" in body["Message"]


def test_an_operation_that_is_not_served_says_so(server: TextractServer) -> None:
    with pytest.raises(ClientError, match="isn't served") as error:
        server.textract().analyze_expense(Document={"Bytes": b"x"})
    assert code_of(error) == "InvalidParameterException"


def test_an_unknown_operation_says_so(server: TextractServer) -> None:
    status, body, _ = ask(server.url, b"{}", signed(server.url, "Textract.ReadMyMind", b"{}"))
    assert (status, body["__type"]) == (400, "UnknownOperationException")


def test_a_body_that_is_not_json_says_so(server: TextractServer) -> None:
    _, body, _ = ask(server.url, b"{", signed(server.url, "Textract.DetectDocumentText", b"{"))
    assert body["__type"] == "SerializationException"


def test_a_body_that_is_too_long_is_refused(server: TextractServer) -> None:
    with pytest.raises(ClientError) as error:
        server.textract().detect_document_text(Document={"Bytes": b"%PDF-" + bytes(10 * 1024 * 1024)})
    assert code_of(error) == "DocumentTooLargeException"


def test_a_broken_connection_leaves_the_server_up(server: TextractServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\nabc")
    with pytest.raises(ClientError):
        client("textract", server.url).get_document_text_detection(JobId="unknown")
