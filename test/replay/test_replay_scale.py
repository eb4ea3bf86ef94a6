# SPDX-License-Identifier: Apache-2.0
"""replay on a real Ray cluster: the same bytes as one process, whatever dies on the way."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import replay_bags
from patience import PATIENCE_S
from replay_bags import arguments, drive, replay
from tiny_model import write_models

from shared_encoder_perception.images.bags import storage_files
from shared_encoder_perception.replay import checkpoint as checkpoints

pytest.importorskip("ray", reason="Ray is not installed: pip install '.[scale]'")
if not Path("/proc/self/fd").exists():
    pytest.skip("finds Ray's processes by Linux's /proc", allow_module_level=True)

EVERY = 5
"""Images between checkpoints."""
COUNTS = {"long": 120, "short": 6, "cut": 12}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def bags(tmp_path_factory):
    """A long and a short bag, one that lost its end, one of which nothing can be read."""
    folder = tmp_path_factory.mktemp("bags")
    found = [replay_bags.write_bag(folder / name, drive(count)) for name, count in COUNTS.items()]
    (path,) = storage_files(found[-1])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    empty = replay_bags.write_bag(folder / "empty", drive(1))
    (path,) = storage_files(empty)
    path.write_bytes(b"")
    return [*found, empty]


@pytest.fixture(scope="module")
def serial(tmp_path_factory, models, bags):
    """The results of one process."""
    out = tmp_path_factory.mktemp("serial") / "out"
    assert replay(models, bags[0], out, *bags[1:]) == 2
    return out


def writers(path):
    """Return the other processes that have a file open for writing."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.name) != os.getpid() and any(
                os.readlink(link) == str(path) for link in (folder / "fd").iterdir()
            ):
                found.append(int(folder.name))
        except OSError:  # it has ended, or is not ours
            continue
    return found


def wait_for_worker(out, frames):
    """Return the process that replays into a folder, once it has perceived some images."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        at = checkpoints.read(out) if out.is_dir() else None
        if at is not None and at.frames >= frames:
            pids = writers(out / "results.jsonl.part")
            if pids:
                return pids[0], at.frames
        time.sleep(0.002)
    return None


def ray_processes(pid):
    """Return the processes of the clusters that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if command.startswith(b"ray::") or b"/ray/" in command:
                found.append(int(folder.name))
        except OSError:
            continue
    return [one for one in found if pid in ancestors(one)]


def ancestors(pid):
    """Return the process, its parent, and so on."""
    while pid > 1:
        yield pid
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return
        pid = int(stat.rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def scaled(tmp_path_factory, models, bags):
    """The results of two workers, one of which was killed amid the long bag."""
    out = tmp_path_factory.mktemp("scaled") / "out"
    victim = []

    def kill_once():
        found = wait_for_worker(out / "long", 2 * EVERY)
        if found is not None:
            os.kill(found[0], signal.SIGKILL)
            victim.append(found)

    killer = threading.Thread(target=kill_once)
    killer.start()
    said = tmp_path_factory.mktemp("said") / "stderr"
    with said.open("w") as stderr, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        options = ("--ray", "--workers", 2, "--checkpoint-every", EVERY)
        status = replay(models, bags[0], out, *bags[1:], *options)
    killer.join()
    return SimpleNamespace(out=out, status=status, said=said.read_text(), victim=victim)


def test_two_workers_give_the_bytes_of_one_process(scaled, serial):
    assert scaled.status == 2
    for name in COUNTS:
        ours, theirs = (out / name / "results.jsonl" for out in (scaled.out, serial))
        assert ours.read_bytes() == theirs.read_bytes()
    summary = (scaled.out / "summary.json").read_bytes()
    assert summary == (serial / "summary.json").read_bytes()
    told = replay_bags.summary(scaled.out)
    assert told["failed"] == ["empty"]
    assert told["bags"]["cut"]["status"] == 1 and told["bags"]["cut"]["problems"]
    assert told["frames"] == 126 + told["bags"]["cut"]["frames"]


def test_a_killed_task_is_told_and_goes_on_where_it_was(scaled):
    ((_, frames),) = scaled.victim
    assert EVERY <= frames < COUNTS["long"]
    assert "long: try 1 failed: its process died: WorkerCrashedError" in scaled.said
    assert "long: done (try 2)" in scaled.said
    lines = (scaled.out / "long" / "timings.jsonl").read_text().splitlines()
    assert len(lines) == COUNTS["long"]


def test_a_bag_that_cannot_be_read_is_tried_again_and_told(scaled):
    for number in (1, 2):
        assert f"empty: try {number} failed: " in scaled.said
    assert "empty: failed (try 3): cannot read the bag" in scaled.said
    assert "100%" in scaled.said and "4/4" in scaled.said


def test_our_cluster_ends_with_us(scaled):
    assert ray_processes(os.getpid()) == []


def end_soon(pids):
    """Whether processes end: Ray kills those of a driver that has left."""
    deadline = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def started_replay(*given):
    """Return a replay in a process of its own."""
    command = arguments(*given, "--workers", 2, "--checkpoint-every", EVERY)
    return subprocess.Popen(
        [sys.executable, "-m", "shared_encoder_perception", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_interrupted_the_cluster_ends_and_one_process_can_finish(tmp_path, models, bags, serial):
    out = tmp_path / "out"
    driver = started_replay(models, bags[0], out, bags[1], "--ray")
    assert wait_for_worker(out / "long", EVERY) is not None
    started = ray_processes(driver.pid)
    assert len(started) > 2
    os.kill(driver.pid, signal.SIGINT)
    _, said = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 130 and "interrupted" in said, said
    assert end_soon(started)
    assert not (out / "summary.json").exists()
    assert replay(models, bags[0], out, bags[1], "--resume") == 0
    for name in ("long", "short"):
        ours, theirs = (folder / name / "results.jsonl" for folder in (out, serial))
        assert ours.read_bytes() == theirs.read_bytes()


CLUSTER = """
import sys, ray
context = ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False,
                   object_store_memory=80 * 2**20, _temp_dir=sys.argv[1])
print(context.address_info["address"], flush=True)
sys.stdin.read()
print(ray.is_initialized() and len(ray.nodes()), flush=True)
"""


@pytest.fixture
def address(tmp_path_factory):
    """Somebody else's cluster, which must be there at the end."""
    folder = tmp_path_factory.mktemp("c")
    command = [sys.executable, "-c", CLUSTER, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, **pipes) as owner:
        yield owner.stdout.readline().strip()
        alive, _ = owner.communicate(timeout=PATIENCE_S)
    assert alive.strip() == "1"
    shutil.rmtree(folder)


def test_a_cluster_by_its_address_is_used_and_left_alone(
    tmp_path, models, bags, serial, address, monkeypatch
):
    monkeypatch.chdir(bags[1].parent)  # workers elsewhere have another working folder
    models = SimpleNamespace(tiny=os.path.relpath(models.tiny))
    out = Path(os.path.relpath(tmp_path / "out"))
    driver = started_replay(models, Path("short"), out, "--ray", address)  # knows no other cluster
    _, said = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, said
    theirs = serial / "short" / "results.jsonl"
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == theirs.read_bytes()


def test_interrupted_its_tasks_end_on_somebody_elses_cluster(tmp_path, models, bags, address):
    out = tmp_path / "out"
    driver = started_replay(models, bags[0], out, bags[1], "--ray", address)
    worker, _ = wait_for_worker(out / "long", EVERY)
    os.kill(driver.pid, signal.SIGINT)
    _, said = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 130 and "interrupted" in said, said
    deadline = time.monotonic() + PATIENCE_S
    while worker in writers(out / "long" / "results.jsonl.part"):
        assert time.monotonic() < deadline, "the task goes on without its driver"
        time.sleep(0.05)


def test_interrupted_while_ray_starts_it_is_told_and_nothing_stays(tmp_path, models, bags):
    driver = started_replay(models, bags[0], tmp_path / "out", bags[1], "--ray")
    while not (started := ray_processes(driver.pid)):
        assert driver.poll() is None
        time.sleep(0.002)
    os.kill(driver.pid, signal.SIGINT)
    _, said = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 130 and "interrupted" in said, said
    assert end_soon(started)
