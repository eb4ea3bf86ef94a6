# SPDX-License-Identifier: Apache-2.0
"""Whatever a store answers, no secret part of a URL gets into a message, a log or a file."""

import logging
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.remote import DeniedError, MissingError, Remote, StoreError
from shared_encoder_perception.artifact.store import ModelCache, fetch
from shared_encoder_perception.backends import load_backend

pytest.importorskip("aiohttp", reason="stores are optional: make test")
pytest.importorskip("fsspec", reason="stores are optional: make test")
PIN = "ab" * 32
USER, PASSWORD, SIGNATURE, FRAGMENT = "AKIAUSER", "pass/wo@rd", "0f1e/2d+3c", "access=deed"
SECRETS = (
    *(USER, PASSWORD, "pass%2Fwo%40rd", "pass%2fwo", "rd@", SIGNATURE, "0f1e%2F2d%2B3c", "0f1e"),
    *("deed", "MOVED"),
)
QUERY = "X-Amz-Signature=0f1e%2F2d%2B3c&X-Amz-Expires=60"


class Answers(BaseHTTPRequestHandler):
    """Answers ``/STATUS/...`` with that status; some of it repeats what was asked for."""

    def do_GET(self):
        """Answer as the path says."""
        status = int(self.path.split("/")[1])
        repeated = f"sorry, no {self.path} for {SIGNATURE}"
        if status in (301, 302):
            self.send_response(status)
            self.send_header("Location", "/403/other.onnx?sig=MOVED")
        elif status in (307, 308):
            self.send_response(status)
            self.send_header("Location", self.path)
        else:
            self.send_response(status, repeated)
        self.send_header("Content-Length", str(len(repeated) if status != 200 else 10_000))
        self.end_headers()
        self.wfile.write(repeated.encode())

    do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def signed(address, status):
    return f"http://{USER}:pass%2Fwo%40rd@{address}/{status}/a.onnx?{QUERY}#{FRAGMENT}"


def everything(error):
    """Return all that a traceback or an error chain could show."""
    said = ["".join(traceback.format_exception(error))]
    while error is not None:
        said += [str(error), repr(error), repr(error.args)]
        error = error.__cause__ or error.__context__
    return "\n".join(said)


def clean(text):
    found = [secret for secret in SECRETS if secret in text]
    assert not found, (found, text)


STATUSES = (400, 401, 402, 403, 404, 405, 408, 410, 418, 429, 451, 500, 502, 503, 504, 599)


@pytest.mark.parametrize("status", [*STATUSES, 301, 302, 307, 308, 200])
def test_no_status_brings_a_secret_to_light(address, status, caplog, capfd, cache):
    caplog.set_level(logging.DEBUG)
    url = signed(address, status)
    for pin in (PIN, ""):
        with pytest.raises(StoreError) as caught:
            fetch(url, pin)
        clean(everything(caught.value))
        assert f"http://***@{address}/{status}/a.onnx" in str(caught.value)
        if status >= 400:
            assert f"HTTP status {status}" in str(caught.value) or status == 404
        assert isinstance(caught.value, DeniedError) == (status in (401, 403, 301, 302))
        assert isinstance(caught.value, MissingError) == (status in (404, 410))
    if status != 200:
        with pytest.raises(StoreError) as caught:
            Remote(url).write(b"model")
        clean(everything(caught.value))
    clean(caplog.text)
    captured = capfd.readouterr()
    clean(captured.out + captured.err)
    names = [str(path.relative_to(cache)) for path in cache.rglob("*")]
    clean("\n".join(names) + "".join(p.read_text() for p in cache.rglob("*") if p.is_file()))


@pytest.mark.parametrize(
    "url",
    [
        f"http://{USER}:{PASSWORD}@127.0.0.1:1/a.onnx",
        f"http://{USER}:pass%2Fwo%40rd@127.0.0.1:1/a.onnx?{QUERY}",
        f"http://{USER}:x@no-such-host.invalid/a.onnx?{QUERY}#{FRAGMENT}",
        f"http://{USER}:{PASSWORD}@[half/a.onnx",
        f"s3://{USER}:{PASSWORD}@bucket/a.onnx",
        f"s3://{USER}:{PASSWORD}/bucket/a.onnx",
        f"gs://{USER}:{PASSWORD}@bucket/a.onnx?{QUERY}",
        f"sftp://{USER}:{PASSWORD}@127.0.0.1:1/a.onnx",
        f"file://{USER}:{PASSWORD}@far/a.onnx",
        f"file://{USER}:{PASSWORD}@/a.onnx",
        f"file:///gone/a.onnx?{QUERY}#{FRAGMENT}",
        f"abacus://{USER}:{PASSWORD}@b/a.onnx?{QUERY}",
        f"simplecache::s3://{USER}:{PASSWORD}@b/a.onnx",
        f"https:/{USER}:{PASSWORD}@h/a.onnx?{QUERY}",
        f" https://{USER}:{PASSWORD}@h/a.onnx?{QUERY}",
    ],
)
def test_no_kind_of_url_brings_a_secret_to_light(url, caplog, capfd, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ValueError, match=r"cannot|names") as caught:
        load_backend(url, "onnxruntime")
    clean(everything(caught.value))
    model = write_tiny_model(tmp_path / "tiny.onnx")
    assert main(["publish", str(model), url]) == 2
    assert main(["build", "--model", url, "--sha256", PIN]) == 2
    with pytest.raises(SystemExit):
        main(["build", url])
    captured = capfd.readouterr()
    clean(captured.out + captured.err + caplog.text)


def test_the_name_of_a_file_in_the_cache_holds_nothing_secret(tmp_path):
    kept = ModelCache(tmp_path)
    for url in (
        "https://h/a.onnx#t.deed",
        "s3://u:p.deed@b",
        "https://h/a?x.deed",
        "https://h.deed",
    ):
        assert kept.path("0" * 64, url).name == "0" * 64 + ".onnx"
    assert kept.path("0" * 64, "s3://b/best#2.pt").suffix == ".pt"
    assert kept.path("0" * 64, "https://h/a.pt?X=1").suffix == ".pt"


def test_a_node_that_may_not_have_its_model_keeps_the_secrets(address, tmp_path, capfd):
    pytest.importorskip("rclpy", reason="the node needs ROS 2: make setup")
    import ros_harness as ros
    from diagnostic_msgs.msg import DiagnosticArray
    from local_node import local_node
    from std_srvs.srv import Trigger

    namespace, told = ros.new_namespace(), []
    with (
        local_node(write_tiny_model(tmp_path / "tiny.onnx"), namespace) as local,
        ros.peer_in(namespace) as peer,
    ):
        peer.node.create_subscription(DiagnosticArray, "/diagnostics", told.append, 10)
        assert local.node.start()
        with ros.served(local.node):
            for status in (403, 429, 500):
                assert peer.set_parameter("model.path", signed(address, status)).successful
                answer = peer.call(Trigger, "reload_model", Trigger.Request())
                assert not answer.success and f"HTTP status {status}" in answer.message
                clean(answer.message)
            told.clear()
            assert peer.spin_until(lambda: told)
    clean(str(told))
    captured = capfd.readouterr()
    clean(captured.out + captured.err)
