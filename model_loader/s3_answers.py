"""Error codes of S3, and what each means to whoever reads the message."""

from __future__ import annotations

_EXPIRED = (
    "the AWS credentials have expired. Sign in again (aws sso login), or renew AWS_SESSION_TOKEN"
)
_KEYS = (
    "S3 does not accept these AWS credentials. Correct AWS_PROFILE, or AWS_ACCESS_KEY_ID, "
    "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
)
_SECRET = (
    "the signature of the request does not fit, as with a wrong secret. Correct AWS_PROFILE, or "
    "AWS_SECRET_ACCESS_KEY"
)
_CLOCK = "this machine's clock differs too much from S3's. Set the clock"
_REGION = (
    "the bucket is in another region than the one that was asked. Set AWS_REGION to the bucket's"
)
_BUCKET = "the bucket does not exist. Correct the address, or create the bucket"
_DENIED = (
    "these AWS credentials may not do that. They need s3:GetObject, s3:ListBucket and, to publish, "
    "s3:PutObject"
)
_BUSY = "S3 has trouble of its own. Try again in a minute"
_CONDITIONS = (
    "this store has no conditional writes (If-None-Match, If-Match), and without them two who "
    "publish at once could overwrite each other. Use a store that has them, such as AWS S3 or MinIO"
)

NOT_S3 = (
    "what answered is not S3. Check AWS_ENDPOINT_URL, and whether a proxy or a sign-in page stands "
    "in between"
)
REDIRECTS = (
    "it is redirected instead of answered. Check AWS_REGION, which must be the bucket's, and "
    "AWS_ENDPOINT_URL, and whether a proxy stands in between"
)
SILENCE = "it does not answer, or stopped in the middle. Check the network and AWS_ENDPOINT_URL"

_MEANINGS = {
    _EXPIRED: ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
    _KEYS: (
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "UnrecognizedClientException",
    ),
    _SECRET: ("SignatureDoesNotMatch",),
    _CLOCK: ("RequestTimeTooSkewed", "RequestInTheFuture"),
    _REGION: (
        "PermanentRedirect",
        "TemporaryRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    ),
    REDIRECTS: ("301", "302", "303", "307", "308"),
    _BUCKET: ("NoSuchBucket",),
    _DENIED: ("AccessDenied", "AllAccessDisabled", "AccountProblem", "403"),
    _BUSY: ("InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "500", "502")
    + ("503", "504"),
    _CONDITIONS: ("NotImplemented", "501"),
    NOT_S3: ("",),
}

MEANINGS = {code: meaning for meaning, codes in _MEANINGS.items() for code in codes}
"""What is wrong and what to do, by S3's code of an error, or an HTTP status where it gave none."""
