"""What goes wrong in a store, in words: the errors of its clients, turned into one OSError each."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

NO_OBJECT = "no such object"

#: Packages whose exceptions are a store's, also where they are no OSError.
_CLIENTS = {"adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google", "s3fs"}

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
}
_REFUSED = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AuthorizationHeaderMalformed",
}


@contextlib.contextmanager
def as_os_errors(url: str) -> Iterator[None]:
    """Raise what a store's client raises as an OSError whose `strerror` says it in words. url: of the object."""
    try:
        yield
    except Exception as error:
        if not is_store_error(error):
            raise
        raise to_os_error(url, url.partition("://")[0], error) from error


def is_store_error(error: Exception) -> bool:
    """Whether an exception is a store's, or one of its clients'."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _CLIENTS


def to_os_error(place: str, scheme: str, error: Exception) -> OSError:
    """An error of a store's client as an OSError in words. Its own message is not shown, as it may hold anything."""
    if isinstance(error, OSError) and error.strerror and error.filename == place:
        return error
    code, kind = _code(error), type(error).__name__
    bucket = place.partition("://")[2].partition("/")[0]
    check = _CREDENTIALS[scheme]

    def fault(number: int, words: str) -> OSError:
        return OSError(number, words, place)

    if kind in ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "ProfileNotFound"):
        return fault(errno.EACCES, f"there are no credentials for the store ({kind}); set {check}")
    if code in _REFUSED:
        return fault(errno.EACCES, f"the store does not accept the credentials ({code}); check {check}")
    if isinstance(error, PermissionError):
        return fault(
            errno.EACCES, f"no permission, or wrong credentials ({code or kind}); check {check} and their rights"
        )
    if code == "NoSuchBucket" or str(error) == "The specified bucket does not exist":  # s3fs's words, behind a bare 404
        return fault(errno.ENOENT, f"there is no bucket {bucket!r}; check the name, and the endpoint")
    if isinstance(error, FileNotFoundError):
        return fault(errno.ENOENT, NO_OBJECT)
    if isinstance(error, FileExistsError) or code == "ConditionalRequestConflict":
        return fault(errno.EEXIST, "there is one already")
    if code == "PreconditionFailed" or kind == "FileExpired":
        return fault(errno.ESTALE, "it was replaced while it was read; start again when it is complete")
    if "Endpoint" in kind or "Connect" in kind or "Timeout" in kind:
        return fault(errno.EHOSTUNREACH, f"the store cannot be reached ({kind}); check the network, and the endpoint")
    return fault(errno.EIO, f"the store failed ({code or kind}); the same command then goes on")


def _code(error: BaseException | None) -> str:
    """What the store itself calls an error."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def is_transient(error: Exception) -> bool:
    """Whether an error is the store's own, which may be over soon."""
    response = getattr(error, "response", None)
    return isinstance(response, dict) and response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
