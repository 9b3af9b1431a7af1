"""Runtime: runs a plan. ``net.py`` is what users hold, ``executor.py`` walks the steps, ``hooks.py`` lets others watch.

May import: graph and below. It takes no decisions: whatever needs thought stands in the plan.
"""
