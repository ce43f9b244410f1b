"""Signing requests with AWS credentials, for a service that was deployed with ``auth=iam``."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.session import Session
from requests import PreparedRequest
from requests.auth import AuthBase

from training.errors import TrainingError

_REGION_IN_HOST = re.compile(r"\.execute-api\.([a-z0-9-]+)\.")


class Signature(AuthBase):
    """Signs each request (Signature Version 4) as the caller of the AWS SDK's own settings.

    A request that is sent again keeps its signature: the gateway takes one for five minutes.
    """

    def __init__(self, address: str) -> None:
        """Find the credentials, and the region of an API.

        Args:
            address: Address of the API; names the region unless the API has its own domain.

        Raises:
            TrainingError: There are no credentials, or no region.
        """
        session = Session()
        named = _REGION_IN_HOST.search(urlsplit(address).netloc)
        region = named[1] if named else session.get_config_variable("region")
        try:
            credentials = session.get_credentials()
        except BotoCoreError as error:
            raise TrainingError(f"--sign finds no AWS credentials: {error}") from error
        if credentials is None:
            raise TrainingError(
                "--sign finds no AWS credentials. Put them into the environment "
                "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), or name a profile in AWS_PROFILE."
            )
        if region is None:
            raise TrainingError(f"{address} names no region. Put it into AWS_DEFAULT_REGION.")
        self._signer = SigV4Auth(credentials, "execute-api", region)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the signature's headers."""
        signed = AWSRequest(request.method, request.url, data=request.body)
        if "content-type" in request.headers:
            signed.headers["content-type"] = str(request.headers["content-type"])
        self._signer.add_auth(signed)
        request.headers.update(signed.headers)
        return request
