"""Keys rotate while people talk to the bot, and the one who rotates is killed at any moment: no secret is lost."""

import subprocess
import sys
import threading
import time

import pytest

from tests import live
from tests.fake_rasa import FakeRasa
from tests.repeats import times

TOKEN = "the-token-of-the-bot"
MANY = """
from accounts.models import Project
from environments.models import Environment
project = Project.objects.get()
for number in range(200):
    Environment(project=project, name=f"shop-{number}", color="#123456", rasa_token=f"secret-{number}").save()
"""
ALL_THERE = """
from environments.models import Environment
shops = Environment.objects.filter(name__startswith="shop-")
print(all(shop.rasa_token == "secret-" + shop.name[5:] for shop in shops), len(shops), end="")
"""
KEYS_IN_USE = """
from accounts.models import sealing_key
from environments.models import Environment
print(len({sealing_key.key_of(row.sealed_rasa_token) for row in Environment.objects.all()}), end="")
"""
KILLS = times(5, nightly=50)


@pytest.fixture
def bot():
    with FakeRasa(token=TOKEN) as fake:
        fake.load(model_id="a" * 32)
        yield fake


@pytest.fixture
def control_plane(tmp_path, bot):
    declared = f"rasa:\n  production:\n    url: {bot.url}\n    token: {TOKEN}\n"
    control_plane = live.ControlPlane(tmp_path, declared)
    control_plane.run(MANY)
    yield control_plane
    control_plane.stop()


@pytest.mark.nightly
def test_people_talk_on_while_keys_rotate_and_rotations_are_killed(control_plane):
    answers, ended = [], threading.Event()

    def talk():
        while not ended.is_set():
            url = "/api/conversations/me/messages"
            answers.append(control_plane.http.post(url, json={"message": "hi"}).status_code)
            time.sleep(0.02)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        begun = time.monotonic()
        control_plane.manage("rotate_keys")
        lasted = time.monotonic() - begun
        for kill in range(KILLS):
            _killed_after(control_plane, lasted * (0.5 + 0.5 * kill / KILLS))
            assert control_plane.run(KEYS_IN_USE) == "1"
        control_plane.manage("rotate_keys")
    finally:
        ended.set()
        talking.join()
    assert set(answers) == {200}
    assert control_plane.run(ALL_THERE) == "True 200"


def _killed_after(control_plane, seconds):
    command = [sys.executable, "manage.py", "rotate_keys"]
    process = subprocess.Popen(command, cwd=live.ROOT, env=control_plane.environment, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    process.wait()
