# SPDX-License-Identifier: Apache-2.0
"""The model card: its tables come from measurements, the words around them stay."""

from pathlib import Path

import pytest
from labelled_set import write_set

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.evaluation.card import BEGIN, END, fill_in

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "shared_encoder_perception" / "models"


def test_only_the_marked_part_is_replaced():
    text = f"before\n{BEGIN}\nold\n{END}\nafter"
    filled = fill_in(text, "new")
    assert filled == f"before\n{BEGIN}\nnew\n{END}\nafter"
    assert fill_in(filled, "new") == filled


@pytest.mark.parametrize(
    "text", ["", BEGIN, f"{END} {BEGIN}", f"{BEGIN}{END}{BEGIN}{END}", f"{END}{BEGIN}{END}"]
)
def test_a_text_without_its_markers_is_refused(text):
    with pytest.raises(ValueError, match="needs exactly one"):
        fill_in(text, "new")


def test_the_command_measures_and_draws(tmp_path):
    pytest.importorskip("matplotlib", reason="drawn with what training needs: make test")
    model = tmp_path / "small.onnx"
    model.write_bytes((MODELS / "default.onnx").read_bytes())
    labels = write_set(tmp_path / "set", 3) / "frames.jsonl"
    card = tmp_path / "card.md"
    card.write_text(f"words {BEGIN}{END} words")
    options = ["--model", str(model), "--labels", str(labels), "--worlds", "4"]
    assert main(["card", str(card), *options]) == 0
    text = card.read_text()
    assert text.startswith("words ")
    assert text.endswith(" words")
    for row in ("| road | ego |", "| synthetic | ego |", "| road | 0."):
        assert row in text
    assert (tmp_path / "small_reliability.png").stat().st_size > 1000
    assert (tmp_path / "small_failures.jpg").stat().st_size > 1000


def test_a_card_of_nothing_is_refused_and_keeps_its_tables(tmp_path, capsys):
    card = tmp_path / "card.md"
    card.write_text(f"{BEGIN}\nmeasured\n{END}\n")
    assert main(["card", str(card), "--worlds", "0"]) == 2
    assert "--worlds is 0, expected at least 1" in capsys.readouterr().err
    assert "measured" in card.read_text()
