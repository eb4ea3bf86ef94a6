# SPDX-License-Identifier: Apache-2.0
"""Names and messages from outside: one line, no formula, no secret."""

import csv
import io
from urllib.parse import quote, quote_plus

import pytest
from fuzzing import fuzz
from hypothesis import strategies as st

from shared_encoder_perception.files.safe_text import (
    csv_cell,
    from_csv_cell,
    printable,
    redact,
    without_secrets,
)


def test_a_name_cannot_steer_a_terminal_or_break_a_line():
    assert printable("a\x1b[31m\r\nb\u202ec\u2028d\udc80") == (
        r"a\x1b[31m\r\nb\u202ec\u2028d\udc80"
    )
    for name in ("drive 1.onnx", "Größe 日本　語.png", "a\u00a0b"):
        assert printable(name) == name


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "'=", "''@"])
def test_a_cell_is_no_formula_and_comes_back_as_it_was(start):
    text = f"{start}cmd|' /C calc'!A0"
    cell = csv_cell(text)
    assert cell == f"'{text}" and from_csv_cell(cell) == text
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cell])
    file.seek(0)
    assert next(csv.reader(file)) == [cell]


@pytest.mark.parametrize("text", ["", "frame.jpg", "'quoted'", "a=b", "2-3", "'"])
def test_other_cells_stay_as_they_are(text):
    assert csv_cell(text) == text and from_csv_cell(text) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://KEY:SECRET@bucket/a.onnx", "s3://***@bucket/a.onnx"),
        ("s3://KEY:SE/CRET@bucket/a.onnx", "s3://***@bucket/a.onnx"),
        ("s3://KEY:SE@CR/ET@bucket/a.onnx", "s3://***@bucket/a.onnx"),
        ("s3://KEY:SE?CR#ET@bucket/a.onnx", "s3://***@bucket/a.onnx"),
        ("s3://KEY:SE@CR?ET@bucket/a.onnx", "s3://***@bucket/a.onnx"),
        ("s3://KEY:12/3@bucket/a.onnx", "s3://***@bucket/a.onnx"),
        ("s3://KEY:SECRET/bucket/a.onnx", "s3://***@/bucket/a.onnx"),
        ("s3://KEY:SE%2FCRET%40@bucket/a.onnx", "s3://***@bucket/a.onnx"),
        ("file://user:PW@far/a.onnx", "file://***@far/a.onnx"),
        ("file://user:PW@/a.onnx", "file://***@/a.onnx"),
        ("https://token@h/a.onnx", "https://***@h/a.onnx"),
        ("https://h/a.onnx?X-Amz-Signature=0f#sig=1", "https://h/a.onnx?***#***"),
        ("https://h/a.onnx#access_token=1", "https://h/a.onnx#***"),
        ("https://u:p@h/a.onnx?mail=a@b", "https://***@h/a.onnx?***"),
        ("https:/u:p@h/a.onnx?sig=1", "https:/***@h/a.onnx?***"),
        (" HTTPS://u:p@h/a.onnx", " HTTPS://***@h/a.onnx"),
        ("simplecache::s3://k:v@b/a.onnx", "simplecache::s3://***@b/a.onnx"),
    ],
)
def test_no_secret_of_a_url_is_shown(url, shown):
    assert redact(url) == shown


@pytest.mark.parametrize(
    "name",
    [
        *("what?.onnx", "a#b.onnx", "user@host.onnx", "C:drive.onnx", "s3://b/models@2/a.onnx"),
        *("http://127.0.0.1:9000/models@2/a.onnx", "http://[::1]:80/a.onnx", "https://h:443/a"),
    ],
)
def test_what_holds_no_secret_is_shown_as_it_is(name):
    assert redact(name) == name


def test_secrets_are_taken_out_wherever_a_foreign_message_has_them():
    url = "https://user:p/w d@h/a.onnx?X-Amz-Signature=ab%2Fcd%20ef&one=7#fragment"
    said = (
        "403 for 'https://h/a.onnx?X-Amz-Signature=ab/cd+ef' ab%2fcd%20ef AB ab%252Fcd%2520ef "
        "p%2Fw+d\n/a.onnx?X-Amz-Signature=ab/cd Basic dXNlcjpwL3cgZA== user port 'p' is 7 of 70, "
        "fragment; "
        "Location: https://other/b?sig=else"
    )
    words = without_secrets(said, url)
    for secret in ("ab/cd", "ab%2", "dXNl", "user", "w+d", "'p'", " 7 ", "fragment", "else"):
        assert secret not in words
    for kept in ("403 for 'https://h/a.onnx?***'", " AB ", " of 70", "https://other/b?***"):
        assert kept in words
    assert "\n" not in words


def test_no_encoding_of_a_secret_passes():
    """Any secret, written in any of the usual ways, in any place of the URL."""
    secret = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=6)

    def check(text, place, written):
        text = "Q7" + text.strip() + "7Q"
        raw = quote(text, safe="")
        url = {
            "password": f"s3://key:{raw}@bucket/a",
            "query": f"https://h/a?sig={raw}&x=1",
            "fragment": f"https://h/a#{raw}",
        }[place]
        shown = {"plain": text, "quote": quote(text), "plus": quote_plus(text), "all": raw}[written]
        words = without_secrets(f"<{shown}>", url)
        assert "Q7" not in words and "7Q" not in words, (url, shown, words)
        assert "Q7" not in redact(url)

    fuzz(
        300,
        check,
        text=secret,
        place=st.sampled_from(["password", "query", "fragment"]),
        written=st.sampled_from(["plain", "quote", "plus", "all"]),
    )
