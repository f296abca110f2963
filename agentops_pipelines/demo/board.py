"""The company's Jira board: what each ticket was estimated at, by which method it is done, and how it moved.

Belongs here: the board, as data. The work on the tickets is in company.py (TICKETS), how Jira writes all this in
jira_shapes.py. A point is 1,000 tokens. The estimates are those of people who do not count well: documentation needs
less than they think, debugging twice as much.

Times are epoch milliseconds, UTC.
"""

from dataclasses import dataclass

from agentops_pipelines.demo.company import BERLIN, HOUR, MINUTE, TICKETS, moment

PROJECT = "FAD"
TO_DO, IN_PROGRESS, IN_REVIEW, BLOCKED, DONE = "To Do", "In Progress", "In Review", "Blocked", "Done"
PRIORITIES = ("Highest", "High", "Medium", "Low")


@dataclass(frozen=True, kw_only=True)
class Issue:
    """One ticket of the board."""

    key: str
    agent: str
    points: float
    method: str = ""
    priority: str = "Medium"
    moves: tuple[tuple[int, str], ...] = ()
    """(when, status), in order; every ticket begins as To Do."""
    raised: tuple[int, float] | None = None
    """(when, points before): somebody changed the estimate."""
    blocked_by: str = ""
    created_at: int = moment(11, 5, 9)

    @property
    def status(self) -> str:
        """Its present status."""
        return self.moves[-1][1] if self.moves else TO_DO

    @property
    def updated_at(self) -> int:
        """Its last change."""
        return max([self.created_at, *(at for at, _ in self.moves), *([self.raised[0]] if self.raised else [])])


def _finished(key: str, points: float, method: str) -> Issue:
    """A ticket that was begun just before the first block of work on it and done after the last."""
    work = [ticket for ticket in TICKETS if ticket.key == key]
    first = min(moment(11, day, ticket.hour) for ticket in work for day in ticket.days) - BERLIN
    last = (
        max(moment(11, day, ticket.hour) + ticket.blocks * 3 * HOUR for ticket in work for day in ticket.days) - BERLIN
    )
    moves = ((first - 10 * MINUTE, IN_PROGRESS), (last, IN_REVIEW), (last + 50 * MINUTE, DONE))
    return Issue(key=key, agent=work[0].agent, points=points, method=method, moves=moves)


def _begun(day: int, hour: int = 8, minute: int = 0) -> tuple[int, str]:
    return moment(11, day, hour, minute), IN_PROGRESS


ISSUES: tuple[Issue, ...] = (
    _finished("FAD-14", 350, "documentation"),
    _finished("FAD-18", 300, "documentation"),
    _finished("FAD-22", 500, "documentation"),
    _finished("FAD-30", 200, "documentation"),
    _finished("FAD-37", 500, "documentation"),
    _finished("FAD-43", 350, "documentation"),
    _finished("FAD-46", 350, "documentation"),
    _finished("FAD-20", 300, "debugging"),
    _finished("FAD-21", 300, "debugging"),
    _finished("FAD-24", 500, "debugging"),
    _finished("FAD-33", 500, "debugging"),
    _finished("FAD-36", 400, "debugging"),
    _finished("FAD-42", 500, "debugging"),
    _finished("FAD-25", 300, "tdd-loop"),
    _finished("FAD-27", 20_000, "tdd-loop"),
    _finished("FAD-32", 600, "tdd-loop"),
    _finished("FAD-35", 400, "tdd-loop"),
    _finished("FAD-40", 20_000, "tdd-loop"),
    _finished("FAD-41", 400, "tdd-loop"),
    _finished("FAD-45", 300, "tdd-loop"),
    _finished("FAD-38", 8_000, "plan-execute"),
    # Somebody doubled the estimate when the work ran away: the one at the start counts.
    Issue(
        key="FAD-47",
        agent="alec",
        points=20_000,
        method="debugging",
        priority="High",
        moves=(_begun(17, 9),),
        raised=(moment(11, 19, 15), 8_000),
    ),
    # Waits for somebody to look at it.
    Issue(
        key="FAD-31", agent="alec", points=30_000, method="tdd-loop", moves=(_begun(9), (moment(11, 20, 13), IN_REVIEW))
    ),
    # Two at once, one of them forgotten before the records begin: every poll of fiducian meets it.
    Issue(key="FAD-12", agent="fiducian", points=15_000, method="tdd-loop", priority="High", moves=(_begun(10),)),
    Issue(key="FAD-16", agent="fiducian", points=300, method="documentation", moves=(_begun(6, 14, 20),)),
    Issue(
        key="FAD-44",
        agent="main",
        points=6_000,
        method="plan-execute",
        moves=(_begun(17, 12), (moment(11, 23, 16), BLOCKED)),
        blocked_by="FAD-47",
    ),
    *(
        Issue(key=key, agent=agent, points=points, method=method, priority=priority, created_at=moment(11, 20, 10))
        for key, agent, points, method, priority in (
            ("FAD-48", "alec", 2_000, "debugging", "Highest"),
            ("FAD-49", "alec", 5_000, "tdd-loop", "Medium"),
            ("FAD-50", "alec", 400, "documentation", "Low"),
            ("FAD-51", "main", 500, "documentation", "Medium"),
            ("FAD-52", "main", 3_000, "debugging", "Medium"),
        )
    ),
)
