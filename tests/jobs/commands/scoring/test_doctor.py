"""`emojob doctor` as a user types it."""

import json


def test_doctor_shows_the_engine_and_the_reason(emojob):
    code, out, _ = emojob("doctor", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["engine"].startswith("torch on ")
    assert found["why"]
