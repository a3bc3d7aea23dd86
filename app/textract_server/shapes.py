"""The requests of Textract's operations: lengths, patterns and required members, from the service's API model."""

from collections.abc import Mapping

from app.textract_server.constraints import Blob, Choices, Shape, Structure, Text, Unserved, Whole

NOT_ONLY_SPACE = r".*\S.*"

BUCKET = Text(3, 255, r"[0-9A-Za-z\.\-_]*")
S3_OBJECT = Structure(
    {"Bucket": BUCKET, "Name": Text(1, 1024, NOT_ONLY_SPACE), "Version": Text(1, 1024, NOT_ONLY_SPACE)},
    required=("Bucket", "Name"),
)
NOTIFICATION_CHANNEL = Structure(
    {
        "SNSTopicArn": Text(20, 1024, r"arn:([a-z\d-]+):sns:[a-zA-Z\d-]{1,20}:\w{12}:.+"),
        "RoleArn": Text(20, 2048, r"arn:([a-z\d-]+):iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"),
    },
    required=("SNSTopicArn", "RoleArn"),
)
OUTPUT_CONFIG = Structure({"S3Bucket": BUCKET, "S3Prefix": Text(1, 1024, NOT_ONLY_SPACE)}, required=("S3Bucket",))
JOB_ID = Text(1, 64, r"[a-zA-Z0-9-_]+")
FEATURE_TYPES = Choices(served=("TABLES", "FORMS"), unserved=("QUERIES", "SIGNATURES", "LAYOUT"))
ANYTHING = Structure({})

_START_MEMBERS: Mapping[str, Shape] = {
    "DocumentLocation": Structure({"S3Object": S3_OBJECT}, required=("S3Object",)),
    "ClientRequestToken": Text(1, 64, r"[a-zA-Z0-9-_]+"),
    "JobTag": Text(1, 64, r"[a-zA-Z0-9_.\-:]+"),
    "KMSKeyId": Text(1, 2048, r"[A-Za-z0-9][A-Za-z0-9:_/+=,@.-]{0,2048}"),
    "NotificationChannel": NOTIFICATION_CHANNEL,
    "OutputConfig": OUTPUT_CONFIG,
}
_ANALYSIS_MEMBERS: Mapping[str, Shape] = {
    "FeatureTypes": FEATURE_TYPES,
    "QueriesConfig": Unserved(ANYTHING),
    "AdaptersConfig": Unserved(ANYTHING),
}
_DOCUMENT = Structure({"Bytes": Blob(), "S3Object": S3_OBJECT}, exactly_one=("Bytes", "S3Object"))

START_TEXT_DETECTION = Structure(_START_MEMBERS, required=("DocumentLocation",))
START_ANALYSIS = Structure({**_START_MEMBERS, **_ANALYSIS_MEMBERS}, required=("DocumentLocation", "FeatureTypes"))
GET_RESULT = Structure(
    {"JobId": JOB_ID, "MaxResults": Whole(1), "NextToken": Text(1, 1024, NOT_ONLY_SPACE)},
    required=("JobId",),
)
DETECT_TEXT = Structure({"Document": _DOCUMENT}, required=("Document",))
ANALYZE = Structure(
    {"Document": _DOCUMENT, "HumanLoopConfig": Unserved(ANYTHING), **_ANALYSIS_MEMBERS},
    required=("Document", "FeatureTypes"),
)
