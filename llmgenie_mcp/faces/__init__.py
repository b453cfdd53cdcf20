"""The ways in: MCP, the command line. Each translates between its protocol and the Engine and decides nothing."""
