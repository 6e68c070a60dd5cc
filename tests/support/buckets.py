"""A server that speaks S3, in a process of its own, and a bucket in it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException

import boto3
import pytest

from service.files import bucket as files
from tests.support.marks import LONG
from tests.support.servers import free_port, wait_until

BUCKET = "usher-files"
# Who we are to it: it believes anybody.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}


class Bucket:
    """A bucket, as its owner sees it."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.endpoint = f"http://127.0.0.1:{port}"
        self.url = f"s3://{BUCKET}/some/files?endpoint={self.endpoint}&region=us-east-1"
        names = dict(zip(("aws_access_key_id", "aws_secret_access_key"), CREDENTIALS.values(), strict=True))
        self._s3 = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", **names)
        self._s3.create_bucket(Bucket=BUCKET)

    def names(self) -> list[str]:
        """List what is in it."""
        return [one["Key"] for one in self._s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def stop(self) -> None:
        """Have it answer nothing any more."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again, also what it was asked meanwhile."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self._s3.close()


@contextmanager
def serve_bucket() -> Iterator[Bucket]:
    """Serve a bucket, whose credentials stand in the environment meanwhile."""
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-p", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        try:
            wait_until(lambda: _answers(port))
            bucket = Bucket(port, process)
            yield bucket
            bucket.close()
        finally:
            process.kill()
            process.wait()


def wait_for_long(patch: pytest.MonkeyPatch) -> None:
    """Have whoever opens a bucket from now on wait for it for as long as a slow machine takes."""
    for name in ("TIMEOUT", "CONNECT_TIMEOUT"):
        patch.setattr(files, name, LONG)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
