# SPDX-License-Identifier: Apache-2.0
"""Downloads that nobody vouches for: what is cut off is not kept; uploads that broke off."""

import hashlib
import logging
import os
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_model import SPEC, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact import store
from shared_encoder_perception.artifact.file import parse, read_artifact, write_artifact
from shared_encoder_perception.artifact.publish import publish
from shared_encoder_perception.artifact.remote import Remote, StoreError
from shared_encoder_perception.artifact.store import ModelCache, fetch

pytest.importorskip("aiohttp", reason="stores are optional: make test")
pytest.importorskip("fsspec", reason="stores are optional: make test")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "shared_encoder_perception" / "models"


def artifact(path, spec=SPEC):
    """Write the tiny model as this version does, with its checksum at the end."""
    model = parse(write_tiny_model(path, spec).read_bytes(), "it")
    write_artifact(model, spec, path)
    return path


@contextmanager
def serving(content, sent, length):
    """Serve the first bytes of a file, and break off; say how many there should be, or do not."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith(".sha256"):
                self.send_error(404)
                return
            self.send_response(200)
            if length:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:sent])

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_what_is_cut_off_is_never_kept_nor_recommended(tmp_path, cache, length, share):
    content = artifact(tmp_path / "tiny.onnx").read_bytes()
    with serving(content, int(share * len(content)), length) as address:
        for _ in range(2):
            with pytest.raises(StoreError, match=r"cut off|not completed|is no model") as caught:
                fetch(f"{address}/a.onnx")
            assert "pin its sha256" not in str(caught.value)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_no_length_of_a_model_passes_for_the_whole(tmp_path):
    """Wherever it is cut, unless nothing but the checksum is missing."""
    content = artifact(tmp_path / "tiny.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    for sent in (*range(0, len(content), len(content) // 20), *range(-160, 0, 3)):
        path.write_bytes(content[:sent])
        if not store._fault(path, ".onnx"):
            assert read_artifact(path).spec == SPEC


@pytest.mark.parametrize("length", [True, False])
def test_what_is_whole_is_kept(tmp_path, length):
    content = artifact(tmp_path / "tiny.onnx").read_bytes()
    with serving(content, len(content), length) as address:
        assert fetch(f"{address}/a.onnx").read_bytes() == content


def test_half_a_checkpoint_is_not_kept(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:  # as torch packs it
        file.writestr("a/data.pkl", bytes(1000))
    content = (tmp_path / "a.pt").read_bytes()
    with (
        serving(content, len(content) // 2, False) as address,
        pytest.raises(StoreError, match=r"cut off, or is no model \(its list of contents"),
    ):
        fetch(f"{address}/a.pt")
    with serving(content, len(content), False) as address:
        assert fetch(f"{address}/a.pt").read_bytes() == content


def test_what_an_earlier_version_kept_cut_off_is_not_recommended(tmp_path):
    kept, url = ModelCache(), "http://127.0.0.1:1/a.onnx"
    with kept.new_file() as part:
        part.write_bytes(artifact(tmp_path / "tiny.onnx").read_bytes()[:500])
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        kept.keep(part, digest, url)
    assert kept.find(digest, url) is not None
    assert kept.earlier(url) == ""


def test_the_cache_is_this_users_alone_and_swept(tmp_path, cache):
    content = artifact(tmp_path / "tiny.onnx").read_bytes()
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    (cache / ".part-killed").write_bytes(b"half")
    with serving(content, len(content), True) as address:
        path = fetch(f"{address}/a.onnx")
    assert cache.stat().st_mode & 0o022 == 0
    assert sorted(one.suffix for one in cache.iterdir()) == [".onnx", ".url"]
    path.unlink()
    os.mkfifo(path)
    with serving(content, len(content), True) as address:
        assert fetch(f"{address}/a.onnx") == path and path.read_bytes() == content


# ---- publish -------------------------------------------------------------------------------------


@pytest.fixture
def models(tmp_path):
    (tmp_path / "other").mkdir()
    ours = artifact(tmp_path / "ours.onnx")
    other = artifact(tmp_path / "other" / "ours.onnx", replace(SPEC, training_data="more"))
    return read_artifact(ours), read_artifact(other), f"memory://{tmp_path.name}/a.onnx"


def put(url, content, checksum=None):
    Remote(url).write(content)
    if checksum is not None:
        Remote(url + ".sha256").write(checksum)


def test_an_upload_that_broke_off_is_repaired_without_force(models, caplog):
    caplog.set_level(logging.WARNING)
    ours, other, url = models
    vouches = {one: f"{one.sha256}  a.onnx\n".encode() for one in (ours, other)}
    for content, checksum in (
        (ours.content[:1000], None),
        (ours.content[:-90], None),
        (b"", None),
        (ours.content, None),  # no checksum yet
        (ours.content, b""),
        (ours.content, vouches[ours][:30]),
        (ours.content[:1000], vouches[ours]),  # the second time
        (ours.content[:1000], vouches[other]),  # --force over another one
        (other.content, vouches[ours]),  # another one's --force over ours
    ):
        put(url, content, checksum if checksum is not None else b"")
        if checksum is None:
            Remote(url)._files.rm(Remote(url + ".sha256")._path)
        publish(ours.content, ours.sha256, url)
        assert Remote(url).read() == ours.content
        assert fetch(url).read_bytes() == ours.content
    assert "broke off: it is replaced" in caplog.text


def test_another_model_still_needs_force(models):
    ours, other, url = models
    for checksum in (f"{other.sha256}  a.onnx\n".encode(), b"nonsense"):
        put(url, other.content, checksum)
        with pytest.raises(StoreError, match="is another model"):
            publish(ours.content, ours.sha256, url)
        assert Remote(url).read() == other.content
    publish(ours.content, ours.sha256, url, force=True)
    assert Remote(url).read() == ours.content


def test_a_pipe_is_neither_model_nor_card(models, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert main(["publish", str(tmp_path / "pipe"), models[2]]) == 2
    command = ["publish", str(tmp_path / "ours.onnx"), models[2], "--card"]
    assert main([*command, str(tmp_path / "pipe")]) == 2
    assert capsys.readouterr().err.count("it is a named pipe, expected a file") == 2
