"""How long the UI calls a table or a report fresh.

Belongs here: after what time without a run something is overdue. Does not belong here: how old the data is: a source
that is down leaves its tables as they are, so the check `fresh` looks at the newest record of each source instead.
"""

from datetime import timedelta

import dagster as dg

from agentops_pipelines.settings import Config

_A_WEEK_AND_A_DAY = timedelta(days=8)


def tables_policy(config: Config) -> dg.FreshnessPolicy:
    """The hourly alerts make the tables again. Where they are switched off, only the weekly report does."""
    hours = timedelta(hours=config.thresholds.stale_hours)
    return dg.FreshnessPolicy.time_window(fail_window=hours if config.alerts.enabled else _A_WEEK_AND_A_DAY)


def report_policy() -> dg.FreshnessPolicy:
    """A week without a report is overdue, with a day for a machine that was off."""
    return dg.FreshnessPolicy.time_window(fail_window=_A_WEEK_AND_A_DAY)
