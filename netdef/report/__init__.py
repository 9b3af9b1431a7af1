"""Pictures and pages of a net and its runs: the graph laid out and drawn, the report page, the live view."""
