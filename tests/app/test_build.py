"""What build() does by itself: a clock that cannot be right, and what a command leaves out."""

from __future__ import annotations

from appliance.app import build as building
from appliance.settings import Settings
from appliance.values import Turn
from appliance.wall import Wall


def test_with_a_clock_that_cannot_be_right_dates_are_not_answered_and_nothing_is_removed(tmp_path):
    now = [86_400.0]
    heard = []
    wall = Wall(lambda: now[0])
    settings = Settings(data_dir=str(tmp_path))
    with building.build(settings, senses=(), wall=wall, listener=lambda e, /, **f: heard.append((e, f))) as appliance:
        wrong = {feature.name: feature for feature in appliance.features()}
        assert wrong["clock"].state == "failed"
        assert "1970-01-02" in wrong["clock"].reason
        assert appliance.status()["clock"]["sure"] is False
        assert appliance.ready(), "everything else serves"
        answer = appliance.turn(Turn("几点关门")).answer
        assert answer.data["open"] is None
        assert "正在营业" not in answer.text
        assert "不是营业时间" not in answer.text
        assert appliance.turn(Turn("明天开门吗")).parse.entities == ()
        appliance._rooms.tidy()
        now[0] = 1.8e9  # somebody sets it
        appliance._rooms.tidy()
        assert ("clock_stepped", {"seconds": round(1.8e9 - 86_400)}) in heard
        assert "clock" not in {feature.name for feature in appliance.features()}
        assert appliance.turn(Turn("几点关门")).answer.data["open"] in (True, False)
        found = appliance.turn(Turn("明天开门吗")).parse.entities
        assert [entity.type for entity in found] == ["date"]


def test_records_that_cannot_be_written_are_told_and_kept(tmp_path):
    (tmp_path / "records").write_text("where a folder should be")
    with building.build(Settings(data_dir=str(tmp_path)), senses=()) as appliance:
        assert appliance.turn(Turn("你好")).answer.text
        told = next(feature for feature in appliance.features() if feature.name == "records")
        assert (told.state, told.backend) == ("fallback", "memory")
        assert appliance.status()["events"]["waiting"] > 0
        assert appliance.ready()
