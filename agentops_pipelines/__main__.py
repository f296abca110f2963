"""`python -m agentops_pipelines` is the command `agentops`."""

from agentops_pipelines.cli import main

main(prog_name="agentops")
