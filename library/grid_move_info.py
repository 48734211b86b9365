#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: grid_move_info
short_description: Learn how far a move to this grid is
description:
  - Returns the progress of a move, and its report when it has ended.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Has no differences to show.
    support: none
options:
  move:
    description: Name of the move. Unless given, O(app) must be.
    type: str
  app:
    description: Name of an application; of the moves that brought it here, the latest is taken.
    type: str
  wait:
    description: Seconds to wait for news.
    type: float
    default: 0
  since:
    description: What the last answer returned as RV(since); only what is later is news.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: See how far the shop is
  grid_move_info:
    app: shop
  register: shop_move
"""

RETURN = r"""
move:
  description: Name of the move.
  returned: success
  type: str
finished:
  description: Whether it has ended.
  returned: success
  type: bool
line:
  description: How far it is, in one line.
  returned: success
  type: str
since:
  description: What to give as O(since) the next time.
  returned: success
  type: float
progress:
  description: How far it is, with C(phase), C(round), C(bytes), C(total_bytes), C(rate) and C(eta_seconds).
  returned: success
  type: dict
report:
  description: The report, as the module C(grid_move) returns it.
  returned: when it has ended
  type: dict
artifacts:
  description: The report as artifacts for later jobs; what was asked for is in C(moved), the rest beside it.
  returned: when it has ended
  type: dict
text:
  description: The report for people.
  returned: when it has ended
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.grid import records
from ansible.module_utils.migrid.grid.clock import SystemClock
from ansible.module_utils.migrid.grid.errors import GridError
from ansible.module_utils.migrid.grid.moves import live, migration
from ansible.module_utils.migrid.grid.state import here


def to_result(news: live.News) -> dict[str, object]:
    result = {
        "move": news.move,
        "finished": news.finished,
        "line": news.line,
        "since": news.since,
        "progress": records.to_data(news.progress),
    }
    if news.finished:
        report = records.to_data(news.report)
        result |= {"report": report, "artifacts": migration.artifacts(report), "text": news.report.text()}
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "move": {"type": "str"},
            "app": {"type": "str"},
            "wait": {"type": "float", "default": 0},
            "since": {"type": "float", "default": 0},
        },
        required_one_of=[["move", "app"]],
        mutually_exclusive=[["move", "app"]],
        supports_check_mode=True,
    )
    given = module.params
    state = here()
    try:
        move = given["move"] or live.latest(state, given["app"])
        news = live.news(state, move, given["since"], given["wait"], SystemClock())
    except (GridError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **to_result(news))


if __name__ == "__main__":
    main()
