# SPDX-License-Identifier: Apache-2.0
"""How a model is named: what is a URL, what a path, and where each may stand. Needs no server."""

import subprocess
import sys
from dataclasses import replace

import pytest
from tiny_model import SPEC, write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.artifact.file import ArtifactError
from shared_encoder_perception.artifact.publish import url_of
from shared_encoder_perception.artifact.remote import StoreError, redact
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.backends import load_backend

pytest.importorskip("fsspec", reason="stores are optional: make test")
WRONG = "ab" * 32


@pytest.mark.parametrize("url", ["abacus://b/a.onnx", "simplecache::s3://b/a.onnx"])
def test_a_scheme_that_nobody_knows_is_refused(url):
    with pytest.raises(StoreError, match=r"cannot open .*expected s3://, gs://, https://"):
        fetch(url)


@pytest.mark.parametrize(
    ("missing", "url", "remedy"),
    [
        ("s3fs", "s3://b/a.onnx", "pip install fsspec s3fs, or the extra [s3]"),
        ("gcsfs", "gs://b/a.onnx", "pip install fsspec gcsfs, or the extra [gs]"),
        ("aiohttp", "https://h/a.onnx", "pip install fsspec aiohttp, or the extra [http]"),
        ("fsspec", "s3://b/a.onnx", "pip install fsspec s3fs, or the extra [s3]"),
        ("fsspec", "sftp://h/a.onnx", "pip install fsspec"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(missing, url, remedy):
    """A fresh process in which it cannot be imported; nothing else of ours needs it."""
    code = f"""
import sys
sys.modules[{missing!r}] = None
from shared_encoder_perception.__main__ import main
main(["build", "--backend", "onnxruntime"])
sys.exit(main(["build", "--model", {url!r}]))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    assert "ready: " in result.stdout
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert f"cannot open {url}" in error and missing in error and remedy in error


def test_a_path_is_no_url(tmp_path):
    model = write_tiny_model(tmp_path / "tiny.onnx")
    assert fetch(model) == fetch(str(model)) == fetch(f"file://{model}") == model
    assert redact("what?.onnx") == "what?.onnx"
    with pytest.raises(ArtifactError, match="has the sha256"):
        load_backend(f"file://{model}", "onnxruntime", sha256=WRONG)
    with pytest.raises(StoreError, match="names the computer 'far'"):
        fetch("file://far/a.onnx")


@pytest.mark.parametrize("url", ["folder/", "s3://b/models", "s3://b/a.onnx?versionId=3"])
def test_where_a_model_cannot_go_is_said(url):
    with pytest.raises(StoreError, match="expected the URL of a folder"):
        url_of(url, SPEC)


def test_a_spec_whose_words_make_no_file_name_needs_a_full_name():
    spec = replace(SPEC, version="1/2")
    with pytest.raises(StoreError, match="is no file name"):
        url_of("s3://b/", spec)
    assert url_of("s3://b/a.onnx", spec) == "s3://b/a.onnx"


def test_the_card_command_does_not_draw_into_a_store(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="make test")
    assert main(["card", str(tmp_path / "card.md"), "--model", "s3://b/a.onnx"]) == 2
    assert "drawn beside the model, which cannot be at s3://b/a.onnx" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["calibrate", "--version", "2"], ["quantize", "--images", "pictures"]]
)
def test_commands_that_make_a_model_of_another_take_its_url(command, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out.onnx")]
    assert main([command[0], "abacus://b/a.onnx", *command[1:], *out]) == 2
    assert "expected s3://, gs://, https://" in capsys.readouterr().err
    assert main([command[0], f"file://{tmp_path}/gone.onnx", *command[1:], *out]) == 2
    assert f"{tmp_path}/gone.onnx" in capsys.readouterr().err
