# SPDX-License-Identifier: Apache-2.0
"""Names of files, sources and models reach a terminal, a log and a page without what steers it."""

import json
import os

import pytest
from labelled_set import record, write_records, write_set
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main

EVIL = "a\x1b[31m\u202eb\nerror: forged"


def clean(text):
    assert "\x1b" not in text and "\u202e" not in text and "\nerror: forged" not in text, text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A set with a source, a note and a picture of evil names; the last picture is damaged."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_set(tmp_path / "set", 3)
    lines = [record(index, source=EVIL, notes=[EVIL]) for index in range(3)]
    lines[2]["image"] = f"images/road/{EVIL}.png"
    (folder / lines[2]["image"]).write_bytes(b"no picture")
    write_records(folder, lines)
    return folder


def test_no_name_steers_the_terminal(folder, tmp_path, capfd):
    model = write_tiny_model(tmp_path / "tiny.onnx")
    pictures, out = str(folder / "images" / "road"), str(tmp_path / "out")
    engine = ["--backend", "onnxruntime", "--model", str(model)]
    for number, command in enumerate(
        (
            ["dataset", "validate", str(folder)],
            ["dataset", "stats", str(folder)],
            ["dataset", "convert", "native", str(folder), "--out"],
            ["predict", "--input", pictures, *engine, "--out"],
            ["evaluate", "--labels", str(folder / "frames.jsonl"), *engine, "--out"],
            ["mine", pictures, "--model", str(model), "--count", "1", "--out"],
            ["build", "--model", str(tmp_path / f"{EVIL}.onnx")],
            ["predict", "--input", str(tmp_path / EVIL), *engine, "--out"],
        )
    ):
        command += [f"{out}{number}"] if command[-1] == "--out" else []
        main(command)
        said = capfd.readouterr()
        clean(said.out)
        clean(said.err.replace("\x1b[A", ""))  # a bar of progress below another one that is left
        assert said.out + said.err
    for page in tmp_path.glob("out*/*.html"):
        assert "\x1b" not in page.read_text(encoding="utf-8")


def test_a_name_that_is_no_utf8_is_printed_all_the_same(tmp_path, capfd):
    folder = os.fsencode(tmp_path / "pictures")
    os.mkdir(folder)
    with open(folder + b"/\xff.png", "wb") as file:
        file.write(b"no picture")
    path = os.fsdecode(folder)
    assert main(["predict", "--input", path, "--out", str(tmp_path / "out")]) == 2
    assert r"\udcff.png" in capfd.readouterr().err


def test_a_model_of_an_evil_name_prints_none_of_it(tmp_path, capfd):
    from dataclasses import replace

    from tiny_model import SPEC

    from shared_encoder_perception.artifact.file import read_artifact

    model = write_tiny_model(tmp_path / "tiny.onnx", replace(SPEC, name=EVIL, training_data=EVIL))
    spec = read_artifact(model).spec
    clean(json.dumps([spec.title, spec.training_data], ensure_ascii=False))
    assert main(["publish", str(model), f"file://{tmp_path}/store/"]) == 2
    clean(capfd.readouterr().err)
