"""Files arrive whole and correct from whichever mirror works, or an error says why not and what to do."""

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from data.mirror import good, limited, whole_only

from tinygen.data.download import RemoteFile, download_dir, fetch
from tinygen.errors import DataError

BODY = np.random.default_rng(7).bytes(300_000)
NAME = "a.gz"


def remote(body: bytes = BODY, name: str = NAME) -> RemoteFile:
    return RemoteFile(name, len(body), hashlib.sha256(body).hexdigest())


@pytest.fixture
def get(web, cache):
    """Fetch a.gz from mirrors with given behaviours: get(first=good, second=limited(100))."""
    web.files[NAME] = BODY

    def run(timeout=5.0, **mirrors):
        web.mirrors.update(mirrors)
        return fetch("demo", [remote()], web.urls(), timeout)[0]

    return run


@pytest.fixture
def part(cache):
    """The path of the unfinished download, in an existing folder."""
    (cache / "demo").mkdir(parents=True)
    return cache / "demo" / f"{NAME}.part"


def test_a_download_is_put_in_place_whole_and_kept(get, web, cache):
    path = get(first=good)
    assert path == cache / "demo" / NAME and path.read_bytes() == BODY
    assert sorted(os.listdir(path.parent)) == [".lock", NAME]
    assert get() == path and len(web.requests) == 1


def test_several_files_each_from_the_first_mirror_that_has_it(web, cache):
    web.files.update({"a": b"first", "b": b"second"})
    web.mirrors.update(first=lambda reply, body: reply.send_error(404) if body == b"second" else good(reply, body))
    web.mirrors.update(second=good)
    paths = fetch("demo", [remote(b"first", "a"), remote(b"second", "b")], web.urls())
    assert [path.read_bytes() for path in paths] == [b"first", b"second"]
    assert [(mirror, name) for mirror, name, _ in web.requests] == [("first", "a"), ("first", "b"), ("second", "b")]


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_the_next_mirror_is_asked_when_one_refuses(get, status):
    assert get(first=lambda reply, body: reply.send_error(status), second=good).read_bytes() == BODY


def test_the_next_mirror_is_asked_when_one_hangs(get):
    released, awake = threading.Event(), []

    def hangs(reply, body):
        released.wait(20)
        awake.append(True)

    try:
        assert get(timeout=0.3, first=hangs, second=good).read_bytes() == BODY
        assert not awake
    finally:
        released.set()


def test_the_next_mirror_is_asked_when_one_does_not_speak_http(get):
    assert get(first=lambda reply, _: reply.wfile.write(b"hello\r\n\r\n"), second=good).read_bytes() == BODY


def test_a_download_that_breaks_off_is_taken_up_where_it_stopped(get, web):
    assert get(first=limited(120_000)).read_bytes() == BODY
    assert web.ranges("first") == [None, "bytes=120000-", "bytes=240000-"]


def test_the_next_mirror_goes_on_where_the_first_gave_up(get, web):
    def half_then_nothing(reply, body):
        if reply.start is None:
            limited(120_000)(reply, body)
        else:
            reply.send_error(500)

    assert get(first=half_then_nothing, second=good).read_bytes() == BODY
    assert web.ranges("second") == ["bytes=120000-"]


def test_a_mirror_that_breaks_off_at_the_same_place_again_is_given_up(get, web):
    def stuck(reply, body):
        reply.send(200, body[:50_000], len(body))

    with pytest.raises(DataError, match=r"first/a.gz: broke off after 50,000 of 300,000 bytes"):
        get(first=stuck)
    assert web.ranges("first") == [None, "bytes=50000-"]


def test_what_an_earlier_run_left_is_not_loaded_again(get, web, part):
    part.write_bytes(BODY[:200_000])
    assert get(first=good).read_bytes() == BODY
    assert web.ranges("first") == ["bytes=200000-"] and not part.exists()


def test_a_complete_part_needs_no_network(get, web, part):
    part.write_bytes(BODY)
    assert get(first=good).read_bytes() == BODY
    assert web.requests == []


def test_a_server_that_ignores_ranges_sends_all_again(get, web, part):
    part.write_bytes(BODY[:200_000])
    assert get(first=whole_only).read_bytes() == BODY
    assert web.ranges("first") == ["bytes=200000-"]


def test_a_part_of_something_else_is_replaced_from_the_same_mirror(get, web, part):
    part.write_bytes(b"x" * 200_000)
    assert get(first=good).read_bytes() == BODY
    assert web.ranges("first") == ["bytes=200000-", None]


def test_a_part_longer_than_the_file_is_thrown_away(get, web, part):
    part.write_bytes(BODY + b"more")
    assert get(first=good).read_bytes() == BODY
    assert web.ranges("first") == [None]


def test_a_server_that_can_not_satisfy_the_range_is_asked_for_all(get, web, part):
    def no_ranges(reply, body):
        if reply.start is None:
            whole_only(reply, body)
        else:
            reply.send_error(416)

    part.write_bytes(BODY[:1000])
    assert get(first=no_ranges).read_bytes() == BODY
    assert web.ranges("first") == ["bytes=1000-", None]


def test_a_range_other_than_the_one_asked_for_is_refused(get, part):
    def elsewhere(reply, body):
        reply.send(206, body[10:], Content_Range=f"bytes 10-{len(body) - 1}/{len(body)}")

    part.write_bytes(BODY[:1000])
    with pytest.raises(DataError, match="asked for the bytes from 1000 on and sends bytes 10-299999/300000"):
        get(first=elsewhere)
    assert get(second=good).read_bytes() == BODY


def test_a_corrupted_download_is_tried_elsewhere(get, web):
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    assert get(first=lambda reply, _: good(reply, wrong), second=good).read_bytes() == BODY
    assert web.ranges("second") == [None]


def test_a_download_that_is_corrupted_everywhere_says_which_hash_came(get, cache):
    wrong = BODY[:-1] + bytes([BODY[-1] ^ 1])
    came = hashlib.sha256(wrong).hexdigest()
    with pytest.raises(DataError) as error:
        get(first=lambda reply, _: good(reply, wrong), second=lambda reply, _: whole_only(reply, wrong))
    assert str(error.value).count(f"sent a file with SHA-256 {came} instead of {remote().sha256}") == 2
    assert os.listdir(cache / "demo") == [".lock"]


def test_a_page_in_place_of_the_file_is_not_mixed_into_it(get, web):
    assert get(first=lambda reply, _: reply.send(200, b"<html>log in</html>"), second=good).read_bytes() == BODY
    assert web.ranges("second") == [None]
    with pytest.raises(DataError, match=r"first/a.gz: offers 19 bytes instead of 300,000"):
        fetch("other", [remote()], web.urls()[:1])


def test_a_server_that_never_stops_is_stopped(get, cache):
    def endless(reply, body):
        reply.send_response(200)
        reply.end_headers()  # no length: the body lasts as long as the connection
        with contextlib.suppress(OSError):
            for _ in range(1000):
                reply.wfile.write(body)

    with pytest.raises(DataError, match="sends more than the published 300,000 bytes"):
        get(first=endless)
    assert (cache / "demo" / f"{NAME}.part").stat().st_size <= len(BODY)


def test_a_broken_file_in_the_cache_is_replaced(get, cache):
    path = get(first=good)
    path.write_bytes(b"broken")
    assert get().read_bytes() == BODY


def test_without_a_network_the_error_says_what_to_put_where(cache):
    refused = "http://127.0.0.1:1/"  # nobody listens on port 1
    with pytest.raises(DataError) as error:
        fetch("demo", [remote(), remote(name="b.gz")], [refused])
    message = str(error.value)
    assert "demo: a.gz could not be downloaded (http://127.0.0.1:1/a.gz: Connection refused)" in message
    assert f"put a.gz, b.gz into {cache / 'demo'} by hand" in message and message.endswith("needs no download: digits")
    assert "\n" not in message


def test_a_wrong_file_put_there_by_hand_is_named_with_both_hashes(cache):
    (cache / "demo").mkdir(parents=True)
    (cache / "demo" / NAME).write_bytes(b"wrong")
    with pytest.raises(DataError) as error:
        fetch("demo", [remote()], [])
    wrong = hashlib.sha256(b"wrong").hexdigest()
    assert f"{cache / 'demo' / NAME} has SHA-256 {wrong} instead of {remote().sha256}" in str(error.value)
    assert f"put a.gz into {cache / 'demo'}" in str(error.value)


def test_files_put_there_by_hand_need_no_network(cache):
    (cache / "demo").mkdir(parents=True)
    (cache / "demo" / NAME).write_bytes(BODY)
    assert fetch("demo", [remote()], []) == [cache / "demo" / NAME]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_an_error_that_says_what_to_do(get, web, part):
    part.symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"can't be kept in .*demo \(No space left on device\).*TINYGEN_CACHE"):
        get(first=good, second=good)
    assert web.ranges("second") == []  # the mirror was not to blame


def test_a_cache_that_is_no_folder_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TINYGEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"can't be kept in .*TINYGEN_CACHE"):
        fetch("demo", [remote()], [])


def test_two_at_the_same_time_do_not_disturb_each_other(get, web, cache):
    web.mirrors.update(first=limited(40_000))
    results: list = []
    threads = [threading.Thread(target=lambda: results.append(get().read_bytes())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [BODY, BODY]
    assert len(web.requests) == 8  # those of one download: the other waited for it


def test_nothing_is_printed_where_there_is_no_terminal(get, capfd):
    get(first=good)
    assert capfd.readouterr() == ("", "")


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TINYGEN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert download_dir() == tmp_path / ".cache" / "tinygen"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert download_dir() == tmp_path / ".cache" / "tinygen"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert download_dir() == tmp_path / "xdg" / "tinygen"
    monkeypatch.setenv("TINYGEN_CACHE", "~/mine")
    assert download_dir() == tmp_path / "mine"


@pytest.mark.parametrize("cache", ["~nobody-by-that-name/x", None])
def test_a_cache_without_a_home_is_an_error_that_says_what_to_do(monkeypatch, cache):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("TINYGEN_CACHE", raising=False)
    if cache:
        monkeypatch.setenv("TINYGEN_CACHE", cache)
    with pytest.raises(DataError, match=r"there is no folder for downloads .*; set TINYGEN_CACHE to a folder"):
        fetch("demo", [remote()], [])


def test_what_is_no_file_in_the_cache_is_not_opened(cache):
    (cache / "demo").mkdir(parents=True)
    os.mkfifo(cache / "demo" / NAME)  # opening it would wait for ever
    with pytest.raises(DataError, match=r"a.gz could not be downloaded"):
        fetch("demo", [remote()], [])


def test_a_length_that_is_no_number_is_refused(get):
    assert get(first=lambda reply, body: reply.send(200, body, "many"), second=good).read_bytes() == BODY


def test_progress_is_shown_on_a_terminal(get, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    get(first=good)
    assert f"{NAME}:" in sys.stderr.getvalue() and "/300k" in sys.stderr.getvalue()


def test_a_download_that_is_killed_goes_on_where_it_stopped(get, web, part):
    released = threading.Event()

    def stalls_after_200k(reply, body):
        limited(200_000)(reply, body)
        reply.wfile.flush()
        released.wait(20)

    web.mirrors.update(first=stalls_after_200k)
    program = f"from tinygen.data.download import *; fetch('demo', [{remote()!r}], {web.urls()!r})"
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        while not part.exists() or part.stat().st_size < 100_000:
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
        released.set()
    kept = part.stat().st_size
    assert 100_000 <= kept <= 200_000
    assert get(first=good).read_bytes() == BODY
    assert web.ranges("first") == [None, f"bytes={kept}-"]
