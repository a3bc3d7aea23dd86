"""Every constraint of the API's model, and the checks a Start makes of its document."""

import json
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.textract_server import sheets
from tests.textract_server.running import BUCKET, TextractServer
from tests.textract_server.wire import ask, signed

S3 = {"Bucket": "some-bucket", "Name": "document.pdf"}
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
ROLE = "arn:aws:iam::123456789012:role/name"


def start(**parameters: Any) -> tuple[str, dict[str, Any]]:
    return "start_document_text_detection", {"DocumentLocation": {"S3Object": S3}, **parameters}


def analysis(**parameters: Any) -> tuple[str, dict[str, Any]]:
    return "start_document_analysis", {"DocumentLocation": {"S3Object": S3}, **parameters}


def analysed(**parameters: Any) -> tuple[str, dict[str, Any]]:
    return "analyze_document", {"Document": {"S3Object": S3}, **parameters}


def located(**s3_object: Any) -> tuple[str, dict[str, Any]]:
    return "start_document_text_detection", {"DocumentLocation": {"S3Object": S3 | s3_object}}


def got(**parameters: Any) -> tuple[str, dict[str, Any]]:
    return "get_document_text_detection", {"JobId": "a" * 64, **parameters}


BROKEN = [
    ("DocumentLocation", ("start_document_text_detection", {"DocumentLocation": {}})),
    ("DocumentLocation.S3Object.Bucket", ("start_document_text_detection", {"DocumentLocation": {"S3Object": {}}})),
    ("DocumentLocation.S3Object.Bucket", located(Bucket="has spaces")),
    ("DocumentLocation.S3Object.Bucket", located(Bucket="b" * 256)),
    ("DocumentLocation.S3Object.Bucket", located(Bucket="arn:aws:s3:::bucket")),
    ("DocumentLocation.S3Object.Name", located(Name=" ")),
    ("DocumentLocation.S3Object.Name", located(Name="n" * 1025)),
    ("DocumentLocation.S3Object.Version", located(Version=" ")),
    ("DocumentLocation.S3Object.Version", located(Version="v" * 1025)),
    ("ClientRequestToken", start(ClientRequestToken="t" * 65)),
    ("ClientRequestToken", start(ClientRequestToken="with space")),
    ("ClientRequestToken", start(ClientRequestToken="plus+")),
    ("JobTag", start(JobTag="j" * 65)),
    ("JobTag", start(JobTag="with space")),
    ("KMSKeyId", start(KMSKeyId="-starts-with-dash")),
    ("KMSKeyId", start(KMSKeyId="k" * 2049)),
    (
        "NotificationChannel.SNSTopicArn",
        start(NotificationChannel={"SNSTopicArn": "not an arn at all", "RoleArn": ROLE}),
    ),
    ("NotificationChannel.SNSTopicArn", start(NotificationChannel={"SNSTopicArn": "x" * 30, "RoleArn": ROLE})),
    ("NotificationChannel.RoleArn", start(NotificationChannel={"SNSTopicArn": TOPIC, "RoleArn": "r" * 30})),
    ("NotificationChannel.RoleArn is required", start(NotificationChannel={"SNSTopicArn": TOPIC})),
    (
        "NotificationChannel.SNSTopicArn",
        start(NotificationChannel={"SNSTopicArn": f"{TOPIC}/sqs".replace("sns", "sqs"), "RoleArn": ROLE}),
    ),
    ("OutputConfig.S3Bucket", start(OutputConfig={"S3Bucket": "no spaces"})),
    ("OutputConfig.S3Prefix", start(OutputConfig={"S3Bucket": "bucket", "S3Prefix": " "})),
    ("OutputConfig.S3Bucket is required", start(OutputConfig={"S3Prefix": "prefix"})),
    ("FeatureTypes is required", analysis()),
    ("FeatureTypes", analysis(FeatureTypes=[])),
    ("FeatureTypes", analysis(FeatureTypes="TABLES")),
    ("FeatureTypes must be among", analysis(FeatureTypes=["TABLES", "STAMPS"])),
    ("FeatureTypes LAYOUT isn't served", analysis(FeatureTypes=["TABLES", "LAYOUT"])),
    ("FeatureTypes SIGNATURES isn't served", analysis(FeatureTypes=["SIGNATURES"])),
    ("FeatureTypes QUERIES isn't served", analysis(FeatureTypes=["QUERIES"], QueriesConfig={"Queries": []})),
    ("QueriesConfig isn't served", analysis(FeatureTypes=["FORMS"], QueriesConfig={"Queries": [{"Text": "Who?"}]})),
    ("AdaptersConfig isn't served", analysis(FeatureTypes=["FORMS"], AdaptersConfig={"Adapters": []})),
    ("HumanLoopConfig isn't served", analysed(FeatureTypes=["FORMS"], HumanLoopConfig={"HumanLoopName": "x"})),
    ("FeatureTypes is required", analysed()),
    ("FeatureTypes LAYOUT isn't served", analysed(FeatureTypes=["LAYOUT"])),
    ("JobId", got(JobId="j" * 65)),
    ("JobId", got(JobId="not an id")),
    ("MaxResults", got(MaxResults=0)),
    ("NextToken", got(NextToken=" ")),
    ("NextToken", got(NextToken="n" * 1025)),
    ("exactly one of Bytes and S3Object", ("detect_document_text", {"Document": {}})),
    ("exactly one of", ("detect_document_text", {"Document": {"Bytes": b"x", "S3Object": S3}})),
]


@pytest.fixture(scope="module")
def unchecked(server: TextractServer) -> Any:
    """A client that leaves all checking to the server."""
    return server.textract(config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))


@pytest.mark.parametrize(("names", "call"), BROKEN, ids=lambda value: value[:30] if isinstance(value, str) else "")
def test_a_broken_constraint_is_named(unchecked: Any, names: str, call: tuple[str, dict[str, Any]]) -> None:
    method, parameters = call
    with pytest.raises(ClientError) as error:
        getattr(unchecked, method)(**parameters)
    assert error.value.response["Error"]["Code"] == "InvalidParameterException"
    assert error.value.response["Error"]["Message"].startswith("Request has invalid parameters")
    assert names in error.value.response["Error"]["Message"]


@pytest.mark.parametrize("parameters", [{"JobId": 7}, {"JobId": ["x"]}, {"JobId": "x", "MaxResults": "10"}])
def test_a_value_of_another_type_is_named(server: TextractServer, parameters: dict[str, Any]) -> None:
    body = json.dumps(parameters).encode()
    _, answer, _ = ask(server.url, body, signed(server.url, "Textract.GetDocumentTextDetection", body))
    assert answer["__type"] == "InvalidParameterException"


def refused(server: TextractServer, s3_object: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as error:
        server.textract().start_document_text_detection(DocumentLocation={"S3Object": s3_object})
    return str(error.value.response["Error"]["Code"])


def test_an_object_that_is_not_there_is_refused_at_once(server: TextractServer) -> None:
    assert refused(server, {"Bucket": BUCKET, "Name": "nothing/here.pdf"}) == "InvalidS3ObjectException"
    assert refused(server, {"Bucket": "no-such-bucket", "Name": "document.pdf"}) == "InvalidS3ObjectException"


@pytest.mark.parametrize("content", [b"", b"plain text, whatever its name says", b"PK\x03\x04" + bytes(100), b"GIF89a"])
def test_what_is_no_document_is_refused_at_once(server: TextractServer, content: bytes) -> None:
    assert refused(server, server.upload(content, "looks-like.pdf")) == "UnsupportedDocumentException"


def test_an_image_over_ten_megabytes_is_refused_at_once(server: TextractServer) -> None:
    oversized = sheets.encoded(sheets.picture(), "PNG") + bytes(10 * 1024 * 1024)
    assert refused(server, server.upload(oversized)) == "DocumentTooLargeException"


def test_an_unknown_job_is_refused(server: TextractServer) -> None:
    with pytest.raises(ClientError, match="Request has invalid Job Id") as error:
        server.textract().get_document_text_detection(JobId="a" * 64)
    assert error.value.response["Error"]["Code"] == "InvalidJobIdException"


def test_a_job_must_be_read_with_the_operation_of_its_start(server: TextractServer) -> None:
    textract = server.textract()
    detection = server.start_job(sheets.pdf(["One line"]))
    location = {"S3Object": server.upload(sheets.pdf(["One line"]))}
    analysis = textract.start_document_analysis(DocumentLocation=location, FeatureTypes=["TABLES"])["JobId"]
    for get, job_id in ((textract.get_document_analysis, detection), (textract.get_document_text_detection, analysis)):
        with pytest.raises(ClientError, match="Request has invalid Job Id") as error:
            get(JobId=job_id)
        assert error.value.response["Error"]["Code"] == "InvalidJobIdException"
