# SPDX-License-Identifier: Apache-2.0
"""What the benchmark says of the machine: parts, a Jetson's gauges, how fast it multiplies."""

import os
import sys

import pytest

from shared_encoder_perception.artifact.file import BF16, FP32
from shared_encoder_perception.backends.hardware import cores
from shared_encoder_perception.benchmark import jetson, limits, machine, report


def test_the_machine_says_what_matters_for_speed():
    found = machine.describe()
    assert found["cores"] == cores() and found["governor"]
    assert found["libraries"]["onnxruntime"] and "nonsense" not in found["libraries"]
    text = "\n".join(machine.lines(found))
    assert found["cpu"] in text and found["python"] in text
    assert all(len(line) <= 120 for line in machine.lines({**found, "cpu": "a CPU"}))


JETPACK_5 = (
    "09-10-2022 10:15:00 RAM 3532/30588MB (lfb 5989x4MB) SWAP 0/15294MB (cached 0MB) "
    "CPU [3%@1190,off,0%@1190,0%@1190] EMC_FREQ 0%@2133 GR3D_FREQ 41%@[305,305] VIC_FREQ 115 "
    "APE 174 CV0@-256C CPU@48.5C Tboard@37C SOC2@45.5C tj@48.5C VDD_GPU_SOC 1637mW/1600mW "
    "VDD_CPU_CV 409mW/409mW VIN_SYS_5V0 3022mW/3022mW"
)
JETPACK_6 = (
    "11-15-2023 15:58:17 RAM 2662/62841MB (lfb 4x4MB) SWAP 0/31421MB (cached 0MB) "
    "CPU [0%@729,0%@729] GR3D_FREQ 99% cpu@40.156C soc2@37.187C gpu@36.5C tj@40.156C "
    "VDD_GPU_SOC 2001mW/2001mW VDD_CPU_CV 400mW/400mW VIN_SYS_5V0 4000mW/3900mW"
)
OLDER = "RAM 1446/7772MB (lfb 8x4MB) CPU [2%@345] GR3D_FREQ 0% GPU@33C VDD_IN 2820/2800"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            JETPACK_5,
            {
                "ram_mb": 3532,
                "ram_total_mb": 30588,
                "gpu_percent": 41,
                "vdd_gpu_soc_mw": 1637,
                "vdd_cpu_cv_mw": 409,
                "vin_sys_5v0_mw": 3022,
                "cpu_c": 48.5,
                "tboard_c": 37,
                "soc2_c": 45.5,
                "tj_c": 48.5,
            },
        ),
        (
            JETPACK_6,
            {
                "ram_mb": 2662,
                "ram_total_mb": 62841,
                "gpu_percent": 99,
                "vdd_gpu_soc_mw": 2001,
                "vdd_cpu_cv_mw": 400,
                "vin_sys_5v0_mw": 4000,
                "cpu_c": 40.156,
                "soc2_c": 37.187,
                "gpu_c": 36.5,
                "tj_c": 40.156,
            },
        ),
        (
            OLDER,
            {
                "ram_mb": 1446,
                "ram_total_mb": 7772,
                "gpu_percent": 0,
                "gpu_c": 33,
                "vdd_in_mw": 2820,
            },
        ),
        ("nothing of the kind", {}),
    ],
    ids=["JetPack 5", "JetPack 6", "older", "other"],
)
def test_a_line_of_tegrastats_is_read(line, expected):
    assert jetson.parse(line) == expected


def test_tegrastats_runs_alongside_and_its_medians_count(tmp_path, monkeypatch):
    tool = tmp_path / jetson.TOOL
    lines = "\n".join(f"echo RAM {used}/7772MB GR3D_FREQ {used}%" for used in (10, 90, 20))
    tool.write_text(f"#!/bin/sh\n{lines}\ntouch {tmp_path}/written\nexec sleep 60\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with jetson.watching() as seen:
        while not (tmp_path / "written").exists():
            pass
        assert seen == {}
    assert seen["ram_mb"] == 20 and seen["gpu_percent"] == 20


def test_without_tegrastats_nothing_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with jetson.watching() as seen:
        pass
    assert report.jetson_lines(seen) == []


def test_the_matrix_product_is_measured_with_every_installed_engine():
    rates = limits.measure(FP32, 1, size=64, seconds=0.01)
    assert {"numpy", "onnxruntime"} <= set(rates) and all(rate > 0 for rate in rates.values())


def test_a_precision_that_nothing_offers_has_no_limit(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    ours = "shared_encoder_perception.backends.openvino"
    monkeypatch.delitem(sys.modules, ours, raising=False)  # of an earlier test
    assert limits._rates(
        {"precision": BF16, "threads": 1, "device": "cpu", "torch": False, "size": 8, "seconds": 0}
    ) == {}  # fmt: skip


def test_the_share_counts_two_operations_for_each_multiply_accumulate():
    assert limits.share(gmac=1.0, inference_ms=20.0, gflops=200.0) == pytest.approx(0.5)
