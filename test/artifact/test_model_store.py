# SPDX-License-Identifier: Apache-2.0
"""Models from stores: a real S3 server and a real web server, in processes of their own."""

import hashlib
import logging
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from servers import free_port, server
from tiny_model import SPEC, random_image, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.remote import StoreError
from shared_encoder_perception.artifact.store import ModelCache, fetch, published_sha256
from shared_encoder_perception.backends import BackendError, load_backend

pytest.importorskip("fsspec", reason="stores are optional: make test")
WRONG = "ab" * 32


@pytest.fixture(scope="module")
def s3_server():
    pytest.importorskip("s3fs", reason="make test")
    pytest.importorskip("moto", reason="make test")
    with server("moto.server", "-p") as address:
        yield address


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, and no network beyond this computer."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "shared_encoder_perception" / "models"


@pytest.fixture
def bucket(s3_server, tmp_path, monkeypatch):
    """Return the URL of an empty bucket."""
    for key, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(key, value)
    name = "b" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT")).close()
    return f"s3://{name}"


@pytest.fixture
def model(tmp_path):
    return write_tiny_model(tmp_path / "tiny.onnx")


@pytest.fixture
def other(tmp_path):
    (tmp_path / "other").mkdir()
    return write_tiny_model(tmp_path / "other" / "tiny.onnx", replace(SPEC, training_data="more"))


@pytest.fixture
def web(tmp_path, model):
    """Yield the address of a web server that has the model, and nothing published beside it."""
    pytest.importorskip("aiohttp", reason="make test")
    with server("http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path)) as address:
        yield f"{address}/tiny.onnx"


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def downloads(caplog):
    return sum(record.message.startswith("downloading") for record in caplog.records)


def files(cache):
    return [path.name for path in cache.iterdir()] if cache.exists() else []


def test_what_was_published_is_fetched(bucket, model, cache, capsys, caplog):
    caplog.set_level(logging.INFO)
    model.with_suffix(".md").write_text("the card")
    assert main(["publish", str(model), f"{bucket}/models/"]) == 0
    url, digest = f"{bucket}/models/tiny-1.2.3.onnx", sha256(model)
    printed = capsys.readouterr().out
    assert f"model.path: {url}\nmodel.sha256: {digest}\n" in printed
    assert published_sha256(url) == digest
    assert fetch(url.replace(".onnx", ".md")).read_text() == "the card"
    assert fetch(url + ".sha256").read_text() == f"{digest}  tiny-1.2.3.onnx\n"
    for pin in ("", digest, f" {digest.upper()}"):
        path = fetch(url, pin)
        assert path == cache / f"{digest}.onnx"
        assert path.read_bytes() == model.read_bytes()
    assert downloads(caplog) == 3  # card, checksum, and the model once
    assert not [name for name in files(cache) if name.startswith(".part")]


@pytest.mark.parametrize("kind", ["s3", "http"])
def test_an_engine_runs_a_model_from_a_store(kind, request, model):
    if kind == "s3":
        url = request.getfixturevalue("bucket") + "/a.onnx"
        assert main(["publish", str(model), url]) == 0
    else:
        url = request.getfixturevalue("web")
    backend = load_backend(url, "onnxruntime", sha256=sha256(model))
    assert (backend.info.source, backend.info.sha256) == (url, sha256(model))
    image = random_image(1)
    assert (backend.infer({"image": image[None]})["mask"][0] == image[:, :, 1]).all()


def test_a_command_takes_a_url_where_it_takes_a_path(bucket, model, capsys):
    url = f"{bucket}/a.onnx"
    assert main(["publish", str(model), url]) == 0
    options = ["--backend", "onnxruntime", "--sha256", sha256(model)]
    assert main(["build", "--model", url, *options]) == 0
    assert f"cpu, fp32, {url}" in capsys.readouterr().out
    assert main(["build", "--model", url, "--sha256", WRONG]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {url} has the sha256") and f"{WRONG} is pinned" in error


def test_the_node_says_why_it_cannot_have_its_model(bucket, capfd):
    pytest.importorskip("rclpy", reason="the node needs ROS 2: make setup")
    import ros_harness as ros
    from local_node import local_node
    from rclpy.lifecycle import TransitionCallbackReturn

    with local_node(f"{bucket}/gone.onnx", ros.new_namespace()) as local:
        assert local.node.trigger_configure() == TransitionCallbackReturn.FAILURE
    said = f"cannot configure: cannot download {bucket}/gone.onnx: it is not there"
    assert said in capfd.readouterr().err


@pytest.mark.parametrize("pin", [WRONG, "published"])
def test_another_model_than_was_pinned_is_refused_and_not_kept(web, model, cache, pin):
    if pin == "published":
        model.with_name("tiny.onnx.sha256").write_text(f"{WRONG}  tiny.onnx\n")
    with pytest.raises(StoreError, match=f"{sha256(model)}, but {WRONG} is p.*nothing was kept"):
        fetch(web, "" if pin == "published" else pin)
    assert files(cache) == []


def test_a_pin_that_is_none_is_refused(web):
    with pytest.raises(StoreError, match="expected 64 hexadecimal digits"):
        fetch(web, "latest")


def test_a_checksum_file_that_is_none_is_refused(web, model):
    model.with_name("tiny.onnx.sha256").write_text("<html>")
    with pytest.raises(StoreError, match="no checksum as sha256sum writes it"):
        fetch(web)


def test_without_network_a_pinned_model_runs_and_no_other(tmp_path, model, caplog):
    """Nothing old is used in place of what cannot be reached, unless it is what was pinned."""
    pytest.importorskip("aiohttp", reason="make test")
    with server("http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path)) as address:
        url = f"{address}/tiny.onnx"
        path = fetch(url)
        assert "not pinned" in caplog.text
    digest = sha256(model)
    assert fetch(url, digest) == path
    assert load_backend(url, "onnxruntime", sha256=digest).info.sha256 == digest
    with pytest.raises(StoreError, match=f"check the network.*pin its sha256 {digest}"):
        fetch(url)
    with pytest.raises(StoreError, match=r"cannot download .*check the network"):
        fetch(url, WRONG)


def test_the_same_holds_for_s3(bucket, model, monkeypatch):
    url, digest = f"{bucket}/a.onnx", sha256(model)
    assert main(["publish", str(model), url]) == 0
    path = fetch(url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert fetch(url, digest) == path
    with pytest.raises(StoreError, match=f"AWS_ENDPOINT_URL.*pin its sha256 {digest}"):
        fetch(url)


@pytest.mark.parametrize("damage", [b"", b"half", None])
def test_a_damaged_file_of_the_cache_is_fetched_again(web, model, caplog, damage):
    path, digest = fetch(web), sha256(model)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    assert fetch(web, digest).read_bytes() == model.read_bytes()
    assert ("is damaged: fetched again" in caplog.text) == (damage is not None)


def test_a_cache_that_cannot_be_written_is_named(web, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write to the model cache .*XDG_CACHE_HOME"):
        fetch(web, cache=tmp_path / "file")


@pytest.mark.parametrize("name", ["gone.onnx", "gone/a.onnx"])
def test_what_is_not_in_the_store_is_said(bucket, name):
    with pytest.raises(StoreError, match=f"{bucket}/{name}: it is not there"):
        fetch(f"{bucket}/{name}")


def test_a_bucket_that_is_not_there_is_said(bucket, model, capsys):
    with pytest.raises(StoreError, match="check the bucket and the name"):
        fetch(f"{bucket}x/a.onnx")
    assert main(["publish", str(model), f"{bucket}x/"]) == 2
    assert "check the bucket and the name" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_no_bucket(model, tmp_path, capsys):
    assert main(["publish", str(model), f"file://{tmp_path}/gone/"]) == 2
    assert "check the folder and the name" in capsys.readouterr().err


def test_what_a_web_server_lacks_or_does_not_take_is_said(web, model, capsys):
    with pytest.raises(StoreError, match=r"gone\.onnx: it is not there"):
        fetch(web.replace("tiny", "gone"))
    assert main(["publish", str(model), web.replace("tiny", "new")]) == 2
    assert "error: cannot upload http://" in capsys.readouterr().err


def test_no_message_shows_a_secret(web, model, caplog):
    caplog.set_level(logging.DEBUG, logger="shared_encoder_perception")
    secret = web.replace("://", "://user:hush@") + "?token=quiet"
    backend = load_backend(secret, "onnxruntime")
    assert backend.info.source == web.replace("://", "://***@") + "?***"
    assert sha256(fetch(secret)) == sha256(model)
    said = [caplog.text]
    for url, pin in ((secret, WRONG), (secret.replace("tiny", "gone"), "")):
        with pytest.raises(StoreError) as caught:
            fetch(url, pin)
        said.append(str(caught.value))
    model.rename(model.with_suffix(".pt"))
    with pytest.raises(BackendError, match="is a checkpoint, which only torch runs") as checkpoint:
        load_backend(secret.replace(".onnx", ".pt"), "onnxruntime")
    said.append(str(checkpoint.value))
    assert not any(word in text for text in said for word in ("hush", "quiet"))


def test_another_model_of_that_name_is_replaced_only_by_force(bucket, model, other, capsys):
    command = ["publish", str(model), f"{bucket}/m/"]
    url = f"{bucket}/m/tiny-1.2.3.onnx"
    assert main(command) == 0
    assert main(command) == 0, "the same model again is no conflict"
    assert main(["publish", str(other), f"{bucket}/m/"]) == 2
    assert f"{url} is another model (sha256 {sha256(model)})" in capsys.readouterr().err
    assert sha256(fetch(url)) == published_sha256(url) == sha256(model)
    assert main(["publish", str(other), f"{bucket}/m/", "--force"]) == 0
    assert sha256(fetch(url)) == published_sha256(url) == sha256(other)


def test_an_interrupted_upload_is_not_run(bucket, model, other):
    """The new model is there, its checksum not yet."""
    from shared_encoder_perception.artifact.remote import Remote

    url = f"{bucket}/a.onnx"
    assert main(["publish", str(model), url]) == 0
    Remote(url).write(other.read_bytes())
    with pytest.raises(StoreError, match="just being published"):
        fetch(url)


def test_only_what_runs_is_published(bucket, tmp_path, model, capsys):
    (tmp_path / "bad.onnx").write_bytes(model.read_bytes()[:100])
    assert main(["publish", str(tmp_path / "bad.onnx"), f"{bucket}/"]) == 2
    assert "not an ONNX model" in capsys.readouterr().err
    assert main(["publish", str(model), f"{bucket}/", "--card", str(tmp_path / "gone.md")]) == 2
    assert "gone.md" in capsys.readouterr().err
    with pytest.raises(StoreError, match="it is not there"):
        fetch(f"{bucket}/tiny-1.2.3.onnx")


def test_a_model_is_readable_by_others_than_who_fetched_it(web):
    assert fetch(web).stat().st_mode & 0o777 == 0o644
    assert ModelCache().earlier(web)
