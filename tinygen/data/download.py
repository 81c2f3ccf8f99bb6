"""Downloads of published files into a cache: from several mirrors, resumed and checked, never left in part.

A file is written as NAME.part and renamed when its SHA-256 is the published one. So a download that was killed resumes
where it stopped, from any mirror.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ..checks import check_installed
from ..errors import DataError
from ..files import cache_dir
from ..terminal import is_terminal

CHUNK = 1 << 16


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its name, its size in bytes and its SHA-256."""

    name: str
    size: int
    sha256: str


class _Failed(Exception):
    """A mirror did not deliver; the message says how."""


def download_dir() -> Path:
    """The folder of downloads, see `cache_dir`. Raises DataError if there is none."""
    try:
        return cache_dir()
    except RuntimeError as error:  # "~" where there is no home
        raise DataError(f"there is no folder for downloads ({error}); set TINYGEN_CACHE to a folder") from None


def fetch(dataset: str, files: Sequence[RemoteFile], mirrors: Sequence[str], timeout: float = 20.0) -> list[Path]:
    """The paths of the files of a data set in the cache, after downloading the missing ones.

    mirrors: URLs that end in "/", tried in turn.  timeout: seconds without a byte before giving up on a mirror.
    Raises DataError, which says what to do, if no mirror delivers the published bytes or the cache can't hold them.
    """
    folder = download_dir() / dataset
    paths = [folder / file.name for file in files]
    try:
        if not all(map(_holds, paths, files)):
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                for path, file in zip(paths, files, strict=True):
                    if not _holds(path, file):  # another process may have downloaded it meanwhile
                        _download(file, path, mirrors, timeout)
    except _Failed as problems:
        missing = ", ".join(path.name for path in paths if not path.exists()) or file.name
        raise DataError(
            f"{dataset}: {file.name} could not be downloaded ({problems}); without a network, put {missing} into "
            f"{folder} by hand, or use the data set that needs no download: digits"
        ) from None
    except OSError as error:
        raise DataError(
            f"{dataset}: the download can't be kept in {folder} ({error.strerror or error}); make room there, "
            "or set TINYGEN_CACHE to another folder"
        ) from None
    return paths


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process downloads into folder, on systems whose locks are released when a process dies."""
    try:
        import fcntl
    except ImportError:  # Windows: two simultaneous downloads may spoil each other's part, and start again
        yield
        return
    with open(folder / ".lock", "w") as lock:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(file: RemoteFile, path: Path, mirrors: Sequence[str], timeout: float) -> None:
    part = path.with_name(path.name + ".part")
    problems = [f"{path} has SHA-256 {_sha256(path)} instead of {file.sha256}"] if path.is_file() else []
    for mirror in mirrors:
        url = mirror + file.name
        try:
            _complete(part, url, file, timeout)
            os.replace(part, path)
            return
        except _Failed as problem:
            problems.append(f"{url}: {problem}")
    raise _Failed("; ".join(problems))


def _complete(part: Path, url: str, file: RemoteFile, timeout: float) -> None:
    """Bring part to the published bytes from one mirror: resumed, or downloaded again if what was there is wrong."""
    start = part.stat().st_size if part.exists() else 0
    at = start
    while at < file.size:
        reached = _receive(part, url, at, file, timeout)
        if reached <= at:
            raise _Failed(f"broke off after {reached:,} of {file.size:,} bytes")
        at = reached
    sha256 = _sha256(part)
    if sha256 == file.sha256:
        return
    part.unlink()
    if start == 0:
        raise _Failed(f"sent a file with SHA-256 {sha256} instead of {file.sha256}")
    _complete(part, url, file, timeout)


def _receive(part: Path, url: str, start: int, file: RemoteFile, timeout: float) -> int:
    """Append what a mirror sends from byte `start` to part; return the position where it stopped."""
    check_installed("data: a download", "tqdm")
    from tqdm import tqdm

    with _request(url, start, timeout) as response:
        at = _first_byte(response, start, file)
        quiet = not is_terminal(sys.stderr)
        bar = tqdm(desc=file.name, total=file.size, initial=at, unit="B", unit_scale=True, leave=False, disable=quiet)
        with open(part, "r+b" if part.exists() else "wb") as out, bar:
            out.seek(at)
            for chunk in _chunks(response):
                at += len(chunk)
                if at > file.size:
                    raise _Failed(f"sends more than the published {file.size:,} bytes")
                out.write(chunk)
                bar.update(len(chunk))
            out.flush()
            os.fsync(out.fileno())
    return at


def _request(url: str, start: int, timeout: float) -> HTTPResponse:
    headers = {"User-Agent": "tinygen"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        return urlopen(Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        with error:
            if error.code == 416 and start:  # no such range: ask for the whole file
                return _request(url, 0, timeout)
            raise _Failed(f"HTTP {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        cause = getattr(error, "reason", error)  # urllib wraps errors of the connection
        raise _Failed(getattr(cause, "strerror", None) or str(cause) or type(cause).__name__) from None


def _first_byte(response: HTTPResponse, start: int, file: RemoteFile) -> int:
    """The position in the file of the first byte sent: `start`, or 0 if the server ignores ranges."""
    if response.status == 206:
        sent = response.headers.get("Content-Range", "")
        if not sent.startswith(f"bytes {start}-"):
            raise _Failed(f"was asked for the bytes from {start} on and sends {sent or 'it does not say which'}")
        return start
    length = response.headers.get("Content-Length", str(file.size))
    if not length.isdecimal() or int(length) != file.size:
        raise _Failed(f"offers {length} bytes instead of {file.size:,}")
    return 0


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body, as far as it arrives: the caller knows from the number of bytes whether it broke off."""
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (OSError, HTTPException):
        return


def _holds(path: Path, file: RemoteFile) -> bool:
    """Whether the published file is there; one of another size is not read, and only regular files are opened."""
    return path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
