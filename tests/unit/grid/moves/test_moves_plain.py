from moves_world import World

from migrid.grid.report import Result


def test_migrate(world: World) -> None:
    report = world.run(world.request())
    print(world.log(report))
    print(report.text())
    assert report.result is Result.MIGRATED
