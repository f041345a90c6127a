"""MLflow's artifacts in a bucket: `check` that it can be used, `save FILE` them, `put FILE` them back.

FILE is the tar that backup.sh makes of a volume too: paths below the artifacts' folder, so a backup of either
can be restored to either. Exit codes: 0 done, 1 later perhaps, 2 a value of the chart has to change.
"""

import os
import posixpath
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)

REACH_SECONDS = 60
# Whatever the service answers, these mean that trying again changes nothing.
KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken")
REGION = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException")
TOLD_EACH = 1000


class Unusable(Exception):
    """Why the bucket cannot be used, with the value of the chart that says so."""


def explained(error: BotoCoreError | ClientError, bucket: str, endpoint: str) -> Unusable | None:
    """Return what to change, or None where waiting may help."""
    service = endpoint or "Amazon S3"
    if isinstance(error, SSLError):
        return Unusable(
            f"artifacts.s3.ca: no authority that is trusted signed the certificate of {service} ({error})"
        )
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Unusable(
            "artifacts.s3.existingSecret: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are missing, "
            "and this node has no role"
        )
    if not isinstance(error, ClientError):
        return None
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "NoSuchBucket":
        return Unusable(f"artifacts.s3.bucket: {service} has no bucket {bucket!r}; make it, or mend the name")
    if code in KEYS:
        return Unusable(f"artifacts.s3.existingSecret: {service} does not take the Secret's key ({code})")
    if code in REGION:
        return Unusable(f"artifacts.s3.region: the bucket {bucket!r} is in another region ({code}: {error})")
    if code in ("AccessDenied", "403"):
        return Unusable(
            f"artifacts.s3.existingSecret: its key may not use the bucket {bucket!r} of {service} ({error})"
        )
    # Of a request that is wrong trying again makes nothing better; too many of them, or too slow, may pass.
    if 400 <= status < 500 and status not in (408, 429):
        return Unusable(
            f"artifacts.s3: {service} refuses what was asked about the bucket {bucket!r} ({error})"
        )
    return None


class Bucket:
    """The folder `prefix` of a bucket."""

    def __init__(self, client: Any, name: str, prefix: str) -> None:
        self.client = client
        self.name = name
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def check(self) -> None:
        """Ask for one name: it takes the right address, key, region, bucket and permission."""
        self.client.list_objects_v2(Bucket=self.name, Prefix=self.prefix, MaxKeys=1)

    def keys(self) -> Iterator[str]:
        """Yield the key of each file."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self.prefix)
        for page in pages:
            yield from (each["Key"] for each in page.get("Contents", []) if not each["Key"].endswith("/"))

    def save(self, target: Path) -> int:
        """Write every file into a tar, and return how many."""
        count = 0
        with tarfile.open(target, "w") as tar:
            for key in self.keys():
                try:
                    answer = self.client.get_object(Bucket=self.name, Key=key)
                except self.client.exceptions.NoSuchKey:
                    continue  # deleted since it was listed
                entry = tarfile.TarInfo(f"./{key.removeprefix(self.prefix)}")
                entry.size = answer["ContentLength"]
                entry.mtime = int(answer["LastModified"].timestamp())
                tar.addfile(entry, answer["Body"])
                count += 1
                tell(count)
        return count

    def put(self, source: Path) -> int:
        """Upload every file of a tar, and return how many. What else is in the bucket stays."""
        count = 0
        with tarfile.open(source) as tar:
            for entry in tar:
                content = tar.extractfile(entry) if entry.isfile() else None
                if content is None:
                    continue
                key = self.prefix + posixpath.normpath(entry.name)
                # A tar is read in one go: threads would read it in several places.
                once = TransferConfig(use_threads=False)
                self.client.upload_fileobj(content, self.name, key, Config=once)
                count += 1
                tell(count)
        return count


def tell(count: int) -> None:
    """Say from time to time that it goes on."""
    if count % TOLD_EACH == 0:
        print(f"artifacts: {count} files so far", flush=True)


def reach(ask: Callable[[], None], bucket: str, endpoint: str, seconds: float, pause: float = 1) -> None:
    """Ask until there is an answer; raises Unusable, or the last error at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except (BotoCoreError, ClientError) as error:
            if (reason := explained(error, bucket, endpoint)) is not None:
                raise reason from None
            if time.monotonic() >= deadline:
                raise
        time.sleep(pause)


def main(verb: str, *files: str) -> int:
    """Read the addresses from the environment and do it."""
    name, endpoint = os.environ["ARTIFACTS_BUCKET"], os.environ.get("MLFLOW_S3_ENDPOINT_URL", "")
    settings = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 5})
    place = f"s3://{name}"
    try:
        client = boto3.client("s3", endpoint_url=endpoint or None, config=settings)
        bucket = Bucket(client, name, os.environ["ARTIFACTS_PREFIX"])
        place = f"{place}/{bucket.prefix}"
        reach(bucket.check, name, endpoint, REACH_SECONDS)
        if verb == "check":
            print(f"{place} can be used")
        elif verb == "save":
            print(f"artifacts: {bucket.save(Path(*files))} files of {place}")
        else:
            print(f"artifacts: {bucket.put(Path(*files))} files to {place}")
    except Unusable as reason:
        print(reason, file=sys.stderr)
        return 2
    except (ConnectionError, HTTPClientError) as error:
        print(
            f"artifacts.s3.endpoint: {endpoint or 'Amazon S3'} does not answer ({error}); "
            "is the address right, and does artifacts.s3.port open its port?",
            file=sys.stderr,
        )
        return 1
    except (BotoCoreError, ClientError) as error:
        # Half way, a permission may be missing that listing does not need.
        reason = explained(error, name, endpoint)
        print(reason or f"{place}: {error}", file=sys.stderr)
        return 2 if reason else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
