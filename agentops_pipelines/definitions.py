"""What Dagster loads: every definition of defs/, run in one process.

Belongs here: nothing else. A step in a process of its own costs two CPU seconds and brings nothing to four steps.
"""

import dagster as dg

from agentops_pipelines.defs.alerts import alerts, alerts_asset, hourly_alerts, run_failed
from agentops_pipelines.defs.freshness import report_policy, tables_policy
from agentops_pipelines.defs.jira import jira
from agentops_pipelines.defs.litellm import litellm
from agentops_pipelines.defs.openclaw import openclaw
from agentops_pipelines.defs.otel import otel
from agentops_pipelines.defs.report import report_asset
from agentops_pipelines.defs.schedule import monday_report, past_weeks, weekly_report
from agentops_pipelines.defs.tables import table_key, tables_asset
from agentops_pipelines.settings import load_settings
from agentops_pipelines.sqltables import load_tables


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, jobs, schedules and the sensor. Raises SettingsError when agentops.toml cannot be used."""
    tables = load_tables()
    config = load_settings().config
    return dg.Definitions(
        assets=[
            openclaw,
            litellm,
            jira,
            otel,
            tables_asset(tables, freshness=tables_policy(config)),
            report_asset(
                (table_key(table.name) for table in tables.values() if table.schema == "mart"),
                freshness=report_policy(),
            ),
            alerts_asset(freshness=tables_policy(config)),
        ],
        jobs=[weekly_report, past_weeks, alerts],
        schedules=[monday_report(config), hourly_alerts(config)],
        sensors=[run_failed],
        executor=dg.in_process_executor,
    )
