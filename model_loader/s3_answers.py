"""Error codes of S3, and what each means to whoever reads the message."""

from __future__ import annotations

NOT_S3 = (
    "what answered is not S3. Check AWS_ENDPOINT_URL, and whether a proxy or a sign-in page stands "
    "in between"
)
REDIRECTS = (
    "it is redirected instead of answered. Check AWS_REGION, which must be the bucket's, and "
    "AWS_ENDPOINT_URL, and whether a proxy stands in between"
)
SILENCE = "it does not answer, or stopped in the middle. Check the network and AWS_ENDPOINT_URL"

SETTINGS = (
    "The AWS settings of the environment do not fit: {}. Correct AWS_PROFILE, AWS_REGION, "
    "AWS_ENDPOINT_URL or the credentials."
)
"""The sentence for a client that cannot be made; it takes the reason."""

_CODES = {
    "the AWS credentials have expired. Sign in again (aws sso login), or renew AWS_SESSION_TOKEN": (
        "ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired"
    ),
    "S3 does not accept these AWS credentials. Correct AWS_PROFILE, or AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN": (
        "InvalidAccessKeyId InvalidSecurity InvalidToken UnrecognizedClientException"
    ),
    "the signature of the request does not fit, as with a wrong secret. Correct AWS_PROFILE, or "
    "AWS_SECRET_ACCESS_KEY": "SignatureDoesNotMatch",
    "this machine's clock differs too much from S3's. Set the clock": (
        "RequestTimeTooSkewed RequestInTheFuture"
    ),
    "the bucket is in another region than the one that was asked. Set AWS_REGION to the bucket's": (
        "PermanentRedirect TemporaryRedirect AuthorizationHeaderMalformed "
        "IllegalLocationConstraintException"
    ),
    REDIRECTS: "301 302 303 307 308",
    "the bucket does not exist. Correct the address, or create the bucket": "NoSuchBucket",
    "these AWS credentials may not do that. They need s3:GetObject, s3:ListBucket, s3:PutObject to "
    "publish and s3:DeleteObject to prune": "AccessDenied AllAccessDisabled AccountProblem 403",
    "S3 has trouble of its own. Try again in a minute": (
        "InternalError ServiceUnavailable SlowDown RequestTimeout 500 502 503 504"
    ),
    "this store has no conditional writes (If-None-Match, If-Match), and without them two who "
    "publish at once could overwrite each other. Use a store that has them, such as AWS S3 or "
    "MinIO": "NotImplemented 501",
}

MEANINGS = {
    "": NOT_S3,
    **{code: meaning for meaning, codes in _CODES.items() for code in codes.split()},
}
"""Meaning and remedy by S3's error code, or by HTTP status where there is none."""
