"""Translates exceptions of object store clients (for example s3fs) into OSErrors with readable messages."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

NO_OBJECT = "no such object"

#: Python packages of object store clients.
_CLIENTS = {"adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google", "s3fs"}

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
}
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "ProfileNotFound"}
_REFUSED = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AuthorizationHeaderMalformed",
}


@contextlib.contextmanager
def as_os_errors(url: str) -> Iterator[None]:
    """In the `with` block, replace exceptions of object store clients with OSErrors.

    Args:
        url: URL of the object, for the attribute `filename` of the OSError.
    """
    try:
        yield
    except Exception as error:
        if not is_client_error(error):
            raise
        raise to_os_error(url, url.partition("://")[0], error) from error


def is_client_error(error: Exception) -> bool:
    """Return whether an exception is an OSError or an exception of an object store client."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _CLIENTS


def is_object_error(error: BaseException) -> bool:
    """Return whether an exception is an OSError whose `filename` is a URL."""
    return isinstance(error, OSError) and "://" in str(error.filename)


def to_os_error(url: str, scheme: str, error: Exception) -> OSError:
    """Translate an exception of an object store client into an OSError with a readable `strerror`.

    The message of the client is omitted, because the message may contain private data.

    Args:
        url: URL of the object.
        scheme: s3, gs or az.
        error: The exception. An OSError about `url` with a `strerror` is returned unchanged.
    """
    if isinstance(error, OSError) and error.strerror and error.filename == url:
        return error
    number, message = _explain(url, scheme, error)
    return OSError(number, message, url)


def _explain(url: str, scheme: str, error: Exception) -> tuple[int, str]:
    """Return (errno, message) for an exception of an object store client."""
    code, kind = _code(error), type(error).__name__
    bucket = url.partition("://")[2].partition("/")[0]
    check = _CREDENTIALS[scheme]
    if kind in _NO_CREDENTIALS:
        return errno.EACCES, f"there are no credentials for the object store ({kind}); set {check}"
    if code in _REFUSED:
        return errno.EACCES, f"the object store does not accept the credentials ({code}); check {check}"
    if isinstance(error, PermissionError):
        return errno.EACCES, (
            f"no permission, or wrong credentials ({code or kind}); check {check}, and what the credentials permit"
        )
    if code == "NoSuchBucket" or str(error) == "The specified bucket does not exist":  # message of s3fs for HTTP 404
        return errno.ENOENT, f"there is no bucket {bucket!r}; check its name and the endpoint of the object store"
    if isinstance(error, FileNotFoundError):
        return errno.ENOENT, NO_OBJECT
    if isinstance(error, FileExistsError) or code == "ConditionalRequestConflict":
        return errno.EEXIST, "the object already exists"
    if code == "PreconditionFailed" or kind == "FileExpired":
        return errno.ESTALE, "the object was replaced while it was being read; run the same command again"
    if "Endpoint" in kind or "Connect" in kind or "Timeout" in kind:
        return errno.EHOSTUNREACH, f"the object store cannot be reached ({kind}); check the network and the endpoint"
    return errno.EIO, f"the object store failed ({code or kind}); run the same command again"


def _code(error: BaseException | None) -> str:
    """Return the error code from the response of the object store; "" if there is no code."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def is_transient(error: Exception) -> bool:
    """Return whether an error is a server error (HTTP 5xx). A retry may succeed."""
    response = getattr(error, "response", None)
    return isinstance(response, dict) and response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
