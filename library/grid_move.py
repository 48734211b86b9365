#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: grid_move
short_description: Move an application to this grid
description:
  - Runs on the target grid. It lets MigHelper carry out the move, shows how far it is until it ends, and returns the
    report. A move that is under way already is taken up.
  - The move depends neither on the play nor on the connection. When the play is interrupted, the move goes on; the same
    task takes it up again, and C(mig-grid move cancel) on the grid turns it back.
  - In check mode, or with O(plan_only), it changes nothing and returns the plan.
  - The task fails when the application did not arrive, and when the plan has something that must be mended first.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Returns the plan without changing anything.
    support: full
  diff_mode:
    description: Has no differences to show; the plan says what will be copied.
    support: none
options:
  app:
    description: Name of the application on its grid.
    type: str
    required: true
  source_grid:
    description: The grid that it leaves.
    type: str
    required: true
  target_app:
    description: Its name on this grid. Unless given, the same.
    type: str
  action:
    description: V(migrate) (default), or V(snapshot) for a stopped copy, with the source running on.
    type: str
  stop_timeout:
    description: Seconds until SIGKILL when the application is stopped. Unless given, each container's own.
    type: str
  bandwidth_limit:
    description: Bytes a second, such as V(10M). Unless given, there is no limit.
    type: str
  cut_over:
    description:
      - When the application is stopped. V(when_ready) (default) is when another round of copying would not shorten the
        downtime, V(now) is after the first round. Until a time, such as V(2030-05-31T02:00:00+02:00), rounds go on.
      - Given to a move that is under way, it takes the place of what was asked for first.
    type: str
  destroy_source:
    description: V(after_healthy) (default), or V(keep) to leave the source stopped, with its data.
    type: str
  override_lock:
    description: Whether to take the place of a move that nobody carries out any more.
    type: str
  plan_only:
    description: Whether to return the plan and change nothing.
    type: str
"""

EXAMPLES = r"""
- name: Move the shop here
  grid_move:
    app: shop
    source_grid: grid-a

- name: Copy it under another name, with at most 10 MiB a second
  grid_move:
    app: shop
    source_grid: grid-a
    target_app: shop-test
    action: snapshot
    bandwidth_limit: 10M
"""

RETURN = r"""
move:
  description: Name of the move; empty for a plan.
  returned: success
  type: str
attached:
  description: Whether the move was under way already.
  returned: success
  type: bool
artifacts:
  description: The report as artifacts for later jobs; what was asked for is in C(moved), the rest beside it.
  returned: when the move ended or was planned
  type: dict
text:
  description: The plan or the report for people.
  returned: when the move ended or was planned
  type: str
blocked:
  description: Whether something must be mended before the move.
  returned: in check mode or with O(plan_only)
  type: bool
plan:
  description: The plan, with C(findings), C(items), C(total_seconds) and C(downtime_seconds).
  returned: in check mode or with O(plan_only)
  type: dict
report:
  description: The report of the move, or of the plan.
  returned: when the move ended or was planned
  type: dict
  contains:
    move:
      description: Name of the move; empty for a plan.
      type: str
    action:
      description: V(migrate) or V(snapshot).
      type: str
    app:
      description: Name of the application on its grid.
      type: str
    source_grid:
      description: The grid that it left.
      type: str
    target_grid:
      description: This grid.
      type: str
    target_app:
      description: Its name here.
      type: str
    result:
      description: V(migrated), V(snapshotted), V(rolled_back), V(cancelled), V(failed) or V(planned).
      type: str
    downtime_seconds:
      description: From the beginning of the stop until the application answered again.
      type: float
    predicted_downtime_seconds:
      description: What was predicted just before the stop, or by the plan.
      type: float
    bytes_before_stop:
      description: What crossed while the application ran.
      type: int
    bytes_in_stop:
      description: What crossed while it was stopped.
      type: int
    rounds:
      description: How many rounds of copying there were while it ran.
      type: int
    verified:
      description: Whether the target's data was read back and found to be the source's.
      type: bool
    phases:
      description: Seconds of each phase.
      type: dict
    error:
      description: What went wrong, or empty.
      type: str
    where:
      description: What is where now.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.grid import helper, records
from ansible.module_utils.migrid.grid.errors import GridError
from ansible.module_utils.migrid.grid.moves import migration, request
from ansible.module_utils.migrid.grid.state import State, here


def requested(module: AnsibleModule, state: State) -> request.Request:
    given = {name: module.params[name] for name in migration.OPTIONS if name != "target_grid"}
    return request.parse({**given, "target_grid": state.configuration().name})


def planned(state: State, asked: request.Request) -> dict[str, object]:
    plan = helper.make_plan(state, asked)
    report = records.to_data(migration.report_of(plan))
    return {
        "changed": False,
        "move": "",
        "attached": False,
        "plan": records.to_data(plan),
        "report": report,
        "artifacts": migration.artifacts(report),
        "text": plan.text(),
        "blocked": plan.blocked,
    }


def started(state: State, asked: request.Request) -> dict[str, object]:
    found = helper.start_move(state, asked)
    return {"changed": not found.attached, "move": found.move, "attached": found.attached}


def main() -> None:
    text = {"type": "str"}
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "source_grid": {"type": "str", "required": True},
            "target_app": text,
            "action": text,
            "stop_timeout": text,
            "bandwidth_limit": text,
            "cut_over": text,
            "destroy_source": text,
            "override_lock": text,
            "plan_only": text,
        },
        supports_check_mode=True,
    )
    state = here()
    try:
        asked = requested(module, state)
        result = planned(state, asked) if module.check_mode or asked.plan_only else started(state, asked)
    except (GridError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
